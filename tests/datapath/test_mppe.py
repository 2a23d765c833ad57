"""RFC 3078 with the keys of RFC 3079: both halves, and what forged, late and lost packets do to them.

A native twin subclasses these and overrides what Subject makes.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random

import pytest
from Crypto.Cipher import ARC4
from hypothesis import given
from hypothesis import strategies as st
from tests.datapath.mppe_vectors import (
    INNER,
    MAGIC2,
    STATEFUL_FIRST,
    STATELESS_LONG,
    STATELESS_SHORT,
    VECTORS,
    KeyVector,
)

from openpptp.credentials import Encryption
from openpptp.crypto import get_new_key_from_sha, reduce_key
from openpptp.datapath import mppe
from openpptp.datapath.mppe import Encryptor, Signal
from openpptp.datapath.plausible import plausible

START = bytes.fromhex(MAGIC2[2].start)
DATAGRAM = b"\x00\x21" + INNER


def encryption(bits: int = 128, *, stateful: bool = False) -> Encryption:
    return Encryption(START if bits == 128 else START[:8], bits, stateful)


class Subject:
    """Where the reference is made; a twin makes its own."""

    stateful = False

    def encryptor(self, what: Encryption | None = None):
        return Encryptor(what or encryption(stateful=self.stateful))

    def decryptor(self, what: Encryption | None = None, sequence: int | None = None):
        return mppe.decryptor(what or encryption(stateful=self.stateful), sequence)

    def keys(self, what: Encryption) -> Iterator[bytes]:
        """Yield the initial session key, and those that follow."""
        length = len(what.start_key)
        key = what.start_key
        while True:
            interim = get_new_key_from_sha(what.start_key, key, length)
            first = key == what.start_key
            key = reduce_key(interim if first else ARC4.new(interim).encrypt(interim), what.key_bits)
            yield key

    def derivations(self, decryptor, action: Callable[[], None]) -> int:
        """Return how many keys the action makes the decryptor derive."""
        derived = []
        after = mppe._Keys.after
        try:
            mppe._Keys.after = lambda keys, key: derived.append(1) or after(keys, key)
            action()
        finally:
            mppe._Keys.after = after
        return len(derived)

    def packets(self, count: int, **how) -> list[bytes]:
        encryptor = self.encryptor(**how)
        return [encryptor.encrypt(DATAGRAM) for _ in range(count)]

    def opens(self, decryptor, packet: bytes, sequence: int, now: float = 0.0, datagram: bytes = DATAGRAM) -> bool:
        got, signal = decryptor.decrypt(packet, sequence, now)
        assert got in (None, datagram)
        assert signal is Signal.NONE
        return got is not None


class KeyChangeTests(Subject):
    """7.3. The MPPE Key Change Algorithm; RFC 3079 section 3.5."""

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.bits}-{v.start[:4]}")
    def test_keys_are_those_of_the_samples(self, vector: KeyVector):
        keys = self.keys(Encryption(bytes.fromhex(vector.start), vector.bits, False))
        key = next(keys)
        assert key.hex().upper() == vector.initial
        assert ARC4.new(key).encrypt(b"test message").hex().upper() == vector.encrypted
        for number, key in zip(range(1, 4098), keys, strict=False):
            if number in vector.after:
                assert key.hex().upper() == vector.after[number], number

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.bits}-{v.start[:4]}")
    def test_b112_every_changed_key_is_shortened_and_each_packet_has_its_own(self, vector: KeyVector):
        """Count N is encrypted with the key after N + 1 changes, also at 255 and 256, and 4095 is followed by 0."""
        encryptor = self.encryptor(Encryption(bytes.fromhex(vector.start), vector.bits, False))
        for number in range(1, 4098):
            packet = encryptor.encrypt(DATAGRAM)
            if number in vector.after:
                assert packet[:2] == (0x9000 | (number - 1) % 4096).to_bytes(2, "big")
                assert ARC4.new(bytes.fromhex(vector.after[number])).decrypt(packet[2:]) == DATAGRAM


class StatelessFrameTests(Subject):
    """3.1. MPPE Packets, stateless."""

    def test_the_first_packet_is_that_of_the_vector(self):
        assert self.encryptor().encrypt(DATAGRAM) == STATELESS_LONG

    def test_the_inner_protocol_may_be_written_with_one_octet(self):
        assert self.encryptor().encrypt(DATAGRAM[1:]) == STATELESS_SHORT
        assert self.opens(self.decryptor(), STATELESS_SHORT, 7, datagram=DATAGRAM[1:])

    def test_a_flush_means_nothing(self):
        encryptor = self.encryptor()
        encryptor.flush()
        assert encryptor.encrypt(DATAGRAM) == STATELESS_LONG

    @pytest.mark.parametrize("bits", [40, 56, 128])
    def test_ten_turns_of_the_count(self, bits):
        encryptor, decryptor = self.encryptor(encryption(bits)), self.decryptor(encryption(bits))
        for number in range(10 * 4096 + 5):
            if number % 173 == 172:  # some are lost
                encryptor.encrypt(DATAGRAM)
            else:
                assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), number)


class StatelessSynchronizationTests(Subject):
    """8.1. Stateless Synchronization."""

    @pytest.mark.parametrize("lost", [1, 2, 255, 256, 1000, 2046])
    def test_packets_lost_before_one_are_caught_up_with(self, lost):
        packets = self.packets(lost + 3)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 100)
        assert self.opens(decryptor, packets[lost + 1], 100 + lost + 1)
        assert self.opens(decryptor, packets[lost + 2], 100 + lost + 2)

    def test_b100_the_count_goes_no_farther_than_the_sequence_number(self):
        packets = self.packets(20)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 100)
        assert not self.opens(decryptor, packets[9], 107)
        assert self.opens(decryptor, packets[9], 109)

    def test_a_linux_sender_that_counted_what_it_could_not_number_is_followed(self):
        """Its route was gone for some packets: the count went on, the sequence numbers did not."""
        packets = self.packets(100)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 100)
        arrived = [self.opens(decryptor, packets[31 + number], 101 + number) for number in range(60)]
        assert arrived == [False] * 30 + [True] * 30

    @pytest.mark.parametrize("far", [False, True])
    def test_b100_a_jump_beyond_half_the_counts_needs_the_sequence_number(self, far):
        packets = self.packets(2050)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 0)
        assert decryptor.decrypt(packets[2048], 2047, 0.0, far=far)[0] is None
        assert decryptor.decrypt(packets[2048], 2048, 0.0, far=far)[0] == DATAGRAM

    @pytest.mark.parametrize("lost", [6000, 20_000])
    @pytest.mark.parametrize("frames", [0, 3])
    def test_a_long_loss_hides_whole_turns_of_the_count(self, lost, frames):
        """The sequence numbers say how many, whether they jumped at once or control frames led them on."""
        packets = self.packets(lost + 100)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 0)
        assert self.opens(decryptor, packets[lost], lost + frames)
        assert self.opens(decryptor, packets[lost + 2], lost + frames + 2)
        assert self.opens(decryptor, packets[lost + 1], lost + frames + 1)
        assert not self.opens(decryptor, packets[lost], lost + frames)

    def test_b101_late_packets_after_a_long_loss_have_their_keys_kept(self):
        packets = self.packets(9000)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 0)
        assert self.opens(decryptor, packets[8999], 8999)
        assert self.opens(decryptor, packets[8999 - mppe.KEPT_KEYS], 8999 - mppe.KEPT_KEYS)
        assert not self.opens(decryptor, packets[8998 - mppe.KEPT_KEYS], 8998 - mppe.KEPT_KEYS)

    def test_b100_a_long_loss_is_bounded_by_the_sequence_number_too(self):
        packets = self.packets(5001)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 0)
        assert decryptor.decrypt(packets[5000], 4999, 0.0, far=True)[0] is None
        assert decryptor.decrypt(packets[5000], 5000, 0.0, far=True)[0] == DATAGRAM

    def test_many_control_frames_and_no_loss_do_not_look_like_one(self):
        packets = self.packets(2)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 0)
        assert self.opens(decryptor, packets[1], 5000)

    def test_b101_a_number_far_behind_makes_no_late_packet_good(self):
        packets = self.packets(10)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[9], 9)
        assert decryptor.decrypt(packets[5], 5, 0.0, far=True)[0] is None
        assert self.opens(decryptor, packets[5], 5)

    def test_b101_a_late_packet_is_decrypted_once_and_harms_nothing(self):
        packets = self.packets(10)
        decryptor = self.decryptor()
        for number in (0, 5, 4, 2):
            assert self.opens(decryptor, packets[number], number)
        assert not self.opens(decryptor, packets[2], 2)
        assert not self.opens(decryptor, packets[2], 3)
        assert self.opens(decryptor, packets[6], 6)

    def test_b101_a_packet_too_late_is_not_decrypted(self):
        packets = self.packets(100)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 0)
        assert self.opens(decryptor, packets[90], 90)
        assert not self.opens(decryptor, packets[90 - mppe.KEPT_KEYS - 1], 90 - mppe.KEPT_KEYS - 1)
        assert self.opens(decryptor, packets[91], 91)

    def test_b101_the_oldest_packet_whose_key_is_kept(self):
        packets = self.packets(2 * mppe.KEPT_KEYS)
        decryptor = self.decryptor()
        for number in (10, 10 + mppe.KEPT_KEYS):
            assert self.opens(decryptor, packets[number], number)
        assert not self.opens(decryptor, packets[10], 10)
        assert self.opens(decryptor, packets[11 + mppe.KEPT_KEYS], 11 + mppe.KEPT_KEYS)
        assert self.opens(decryptor, packets[11], 11)
        assert not self.opens(decryptor, packets[11], 11)

    @pytest.mark.parametrize(("sequence", "opens"), [(979, True), (978, False)])
    def test_the_first_packet_may_have_been_sent_so_far_before(self, sequence, opens):
        assert self.opens(self.decryptor(sequence=1000), self.packets(11)[10], sequence) is opens

    def test_the_first_packets_after_the_keys_were_set_may_be_reordered_or_lost(self):
        packets = self.packets(20)
        decryptor = self.decryptor(sequence=1000)
        assert self.opens(decryptor, packets[10], 1003)
        assert self.opens(decryptor, packets[3], 996)
        assert self.opens(decryptor, packets[11], 1004)

    def test_the_sequence_number_may_wrap_meanwhile(self):
        packets = self.packets(40)
        decryptor = self.decryptor(sequence=2**32 - 18)
        for number, packet in enumerate(packets):
            assert self.opens(decryptor, packet, (2**32 - 17 + number) % 2**32)

    @given(st.data())
    def test_loss_and_reordering_within_the_kept_keys_lose_nothing(self, data):
        packets = self.packets(120)
        order = sorted(
            data.draw(st.sets(st.integers(0, 119), min_size=40)),
            key=lambda n: n + data.draw(st.integers(0, 20)),
        )
        decryptor = self.decryptor()
        assert all(self.opens(decryptor, packets[number], 500 + number) for number in order)


class ForgedPacketTests(Subject):
    """9. Security Considerations: no integrity, so at least no harm."""

    @given(
        st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 2047), st.binary(min_size=1, max_size=60)), max_size=8)
    )
    def test_b103_forged_packets_change_nothing(self, forged):
        packets = self.packets(12)
        decryptor = self.decryptor()
        assert self.opens(decryptor, packets[0], 100)
        for count, jump, ciphertext in forged:
            packet = (0x9000 | count).to_bytes(2, "big") + ciphertext
            assert decryptor.decrypt(packet, 100 + jump, 0.0)[0] is None
        assert self.opens(decryptor, packets[3], 103)
        assert self.opens(decryptor, packets[1], 101)
        assert self.opens(decryptor, packets[4], 104)

    def test_b103_a_damaged_packet_is_dropped_and_the_next_is_not(self):
        packets = self.packets(3)
        decryptor = self.decryptor()
        damaged = packets[0][:2] + bytes([packets[0][2] ^ 0x40]) + packets[0][3:]
        assert not self.opens(decryptor, damaged, 0)
        assert self.opens(decryptor, packets[1], 1)

    def test_b100_far_counts_over_and_over_cost_each_key_once(self):
        decryptor = self.decryptor()
        packets = self.packets(2)

        def forge() -> None:
            assert self.opens(decryptor, packets[0], 0)
            for _ in range(50):
                assert not self.opens(decryptor, b"\x97\xff" + bytes(40), 3000)

        assert self.derivations(decryptor, forge) == 2048
        assert self.opens(decryptor, packets[1], 1)

    def test_b100_a_far_number_in_vain_is_followed_by_a_rest(self):
        packets = self.packets(9001)
        decryptor = self.decryptor()
        forged = b"\x93\x88" + bytes(40)  # count 904: 9,096
        assert self.opens(decryptor, packets[0], 0)
        assert not self.opens(decryptor, forged, 9100, 5.0)
        rest = (9096 - mppe.MAX_JUMP) * mppe.REACH_REST

        def again() -> None:
            for part in range(100):
                assert not self.opens(decryptor, forged, 9100, 5.0 + rest * part / 100)
                assert not self.opens(decryptor, packets[9000], 9000, 5.0 + rest * part / 100)

        assert self.derivations(decryptor, again) <= mppe.MAX_JUMP
        assert self.opens(decryptor, packets[1], 1, 5.0)
        assert self.opens(decryptor, packets[9000], 9000, 5.0 + rest)

    def test_b100_a_number_beyond_all_reach_costs_no_more_than_the_reach(self):
        """In time: a second rest would begin at once."""
        decryptor = self.decryptor()
        packets = self.packets(3)
        assert self.opens(decryptor, packets[0], 0)
        assert not self.opens(decryptor, b"\x90\x00" + bytes(40), 2**31 - 1)
        assert self.opens(decryptor, packets[2], 2)

    @pytest.mark.parametrize("bits", [0x8000, 0x1000, 0x0000, 0xE000])
    def test_b102_wrong_bits_are_forgiven_when_few_and_the_end_when_many(self, bits):
        packets = self.packets(40)
        decryptor = self.decryptor()
        for number in range(30):
            assert not self.opens(decryptor, bits.to_bytes(2, "big") + bytes(30), number)
            assert self.opens(decryptor, packets[number], number)
        signals = [decryptor.decrypt(bits.to_bytes(2, "big") + bytes(30), 31, 0.0)[1] for _ in range(17)]
        assert signals[:15] == [Signal.NONE] * 15
        assert signals[-1] is Signal.GIVE_UP

    def test_a_hopeless_session_is_given_up_after_a_minute_and_not_by_a_burst(self):
        decryptor = self.decryptor()
        assert {decryptor.decrypt(b"\x90\x00" + bytes(30), 0, 0.0)[1] for _ in range(500)} == {Signal.NONE}
        assert decryptor.decrypt(b"\x90\x00" + bytes(30), 0, mppe.HOPELESS_TIME)[1] is Signal.GIVE_UP

    def test_b100_forged_packets_do_not_end_a_session_that_has_worked(self):
        """Not even where the idle peer's control frames come one by one and more of them than are hopeless."""
        decryptor = self.decryptor()
        packets = self.packets(2)
        assert self.opens(decryptor, packets[0], 0)
        for number in range(1, 301):
            decryptor.passed(number)
            assert not self.opens(decryptor, b"\x90\x05" + bytes(30), number + 5, 61.0 + number)
        assert self.opens(decryptor, packets[1], 301, 400.0)

    @pytest.mark.parametrize(("lost", "signal"), [(99, Signal.NONE), (100, Signal.GIVE_UP)])
    def test_a_session_that_has_worked_is_given_up_when_it_is_the_peer_whom_nobody_can_read(self, lost, signal):
        """Its control frames, which are accepted, leave out the numbers of what does not decrypt."""
        decryptor = self.decryptor()
        assert self.opens(decryptor, self.packets(1)[0], 0)
        for number in range(mppe.HOPELESS_PACKETS):
            assert not self.opens(decryptor, b"\x90\x05" + bytes(30), number + 1, 1.0)
        decryptor.passed(51)
        decryptor.passed(lost + 2)
        assert decryptor.decrypt(b"\x90\x05" + bytes(30), 150, mppe.HOPELESS_TIME)[1] is signal

    @pytest.mark.parametrize("size", [0, 1, 2])
    def test_b110_packets_without_data_are_dropped(self, size):
        assert not self.opens(self.decryptor(), b"\x90\x00"[:size], 0)
        assert not self.opens(self.decryptor(encryption(stateful=True)), b"\x90\x00"[:size], 0)

    @pytest.mark.parametrize(
        "inner", ["c021 0101000a", "80fd 01010004", "00fd 90001122", "ff03 0021", "fd 90001122", "00"]
    )
    def test_b110_link_control_and_encryption_inside_encryption_are_refused(self, inner):
        encryptor, decryptor = self.encryptor(), self.decryptor()
        packet = encryptor.encrypt(bytes.fromhex(inner) + INNER * (len(inner) > 2))
        assert decryptor.decrypt(packet, 0, 0.0)[0] is None
        assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), 1)


class StatefulFrameTests(Subject):
    """7.2. Stateful Mode Key Changes."""

    stateful = True

    def test_the_first_packet_is_under_the_initial_key_and_not_marked(self):
        """As Linux sends it; with FLUSHED set, Linux would change its key."""
        assert self.encryptor().encrypt(DATAGRAM) == b"\x10\x00" + STATEFUL_FIRST

    @pytest.mark.parametrize("mark", [b"\x10\x00", b"\x90\x00"])
    def test_a_first_packet_is_taken_marked_or_not(self, mark):
        assert self.opens(self.decryptor(), mark + STATEFUL_FIRST, 0)

    def test_only_flag_packets_are_marked_and_change_the_key(self):
        packets = self.packets(4097 + 256)
        marked = [number for number, packet in enumerate(packets) if packet[0] & 0x80]
        assert marked == list(range(255, len(packets), 256))
        key = bytes.fromhex(MAGIC2[2].after[1])
        assert ARC4.new(key).decrypt(packets[255][2:] + packets[256][2:]) == DATAGRAM * 2

    @pytest.mark.parametrize("bits", [40, 56, 128])
    def test_ten_turns_of_the_count(self, bits):
        what = encryption(bits, stateful=True)
        encryptor, decryptor = self.encryptor(what), self.decryptor(what)
        assert all(self.opens(decryptor, encryptor.encrypt(DATAGRAM), number) for number in range(10 * 4096 + 5))


class LinuxEncryptor(Encryptor):
    """Answers a Reset-Request as ppp_mppe.c does: the next packet has a new key and is marked, the count goes on."""

    marked = False

    def flush(self) -> None:
        self._key = self._keys.after(self._key)
        self._cipher = ARC4.new(self._key)
        self.marked = True

    def encrypt(self, datagram: bytes) -> bytes:
        packet = super().encrypt(datagram)
        if self.marked:
            self.marked = False
            return bytes([packet[0] | 0x80]) + packet[1:]
        return packet


class RfcEncryptor(LinuxEncryptor):
    """Answers it by the letter: the next packet has fresh tables and is marked."""

    def flush(self) -> None:
        self._cipher = ARC4.new(self._key)
        self.marked = True


class LinuxDecompressor:
    """mppe_decompress of Linux ppp_mppe.c in its stateful half, for what our Encryptor sends to it."""

    def __init__(self, what: Encryption) -> None:
        self._keys = mppe._Keys(what)
        self.rekey(self._keys.initial)
        self.count = 4095
        self.discard = False

    def rekey(self, key: bytes | None = None) -> None:
        self.key = key or self._keys.after(self.key)
        self.cipher = ARC4.new(self.key)

    def decompress(self, packet: bytes) -> bytes | None:
        count, flushed = int.from_bytes(packet[:2], "big") & 0xFFF, bool(packet[0] & 0x80)
        if not self.discard:
            self.count = (self.count + 1) % 4096
            if count != self.count:
                self.discard = True
                return None
        else:
            if not flushed:
                return None
            while count & ~0xFF != self.count & ~0xFF:
                self.rekey()
                self.count = (self.count + 256) % 4096
            self.discard = False
            self.count = count
        if flushed:
            self.rekey()
        return self.cipher.decrypt(packet[2:])


class StatefulSynchronizationTests(Subject):
    """8.2. Stateful Synchronization."""

    stateful = True

    def lose_step(self, good: int, lost: int, sender: type[Encryptor] | None = None):
        encryptor = self.encryptor() if sender is None else sender(encryption(stateful=True))
        decryptor = self.decryptor()
        for number in range(good):
            assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), number)
        for _ in range(lost):
            encryptor.encrypt(DATAGRAM)
        assert decryptor.decrypt(encryptor.encrypt(DATAGRAM), good + lost, 1.0) == (None, Signal.RESET)
        return encryptor, decryptor, good + lost + 1

    @pytest.mark.parametrize("sender", [None, RfcEncryptor, LinuxEncryptor])
    @pytest.mark.parametrize(
        ("good", "lost"), [(3, 1), (250, 4), (250, 10), (254, 2), (255, 1), (256, 1), (100, 700), (5, 3000)]
    )
    def test_q69_a_flushed_packet_brings_them_together_again_ours_the_rfcs_or_linuxs(self, sender, good, lost):
        encryptor, decryptor, sequence = self.lose_step(good, lost, sender)
        encryptor.flush()
        for number in range(sequence, sequence + 600):
            assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), number, 1.1)

    @pytest.mark.parametrize("sender", [None, RfcEncryptor, LinuxEncryptor])
    @pytest.mark.parametrize("lost", [4094, 4097, 9000, 30_000])
    def test_q69_a_flushed_packet_brings_them_together_after_a_long_loss(self, sender, lost):
        encryptor, decryptor, sequence = self.lose_step(300, lost, sender)
        encryptor.flush()
        for number in range(sequence, sequence + 600):
            assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), number, 1.1)

    def test_b100_a_forged_flush_far_ahead_is_followed_by_a_rest(self):
        encryptor, decryptor, sequence = self.lose_step(10, 9000)
        forged = b"\x90\x00" + bytes(40)
        assert decryptor.decrypt(forged, 2**31 - 1, 2.0)[0] is None
        encryptor.flush()
        packet = encryptor.encrypt(DATAGRAM)
        assert decryptor.decrypt(packet, sequence, 2.02)[0] is None
        assert self.opens(decryptor, packet, sequence, 2.03)

    @pytest.mark.parametrize("sender", [None, RfcEncryptor, LinuxEncryptor])
    def test_q69_the_flushed_packet_itself_may_be_lost_a_few_times(self, sender):
        encryptor, decryptor, sequence = self.lose_step(10, 1, sender)
        for attempt in range(4):
            encryptor.flush()
            encryptor.encrypt(DATAGRAM)
            got = decryptor.decrypt(encryptor.encrypt(DATAGRAM), sequence + 2 * attempt + 1, 2.0 + attempt)
            assert got == (None, Signal.RESET)
        encryptor.flush()
        assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), sequence + 20, 7.0)
        assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), sequence + 21, 7.0)

    @pytest.mark.parametrize(("good", "lost"), [(3, 1), (250, 4), (254, 1), (255, 1), (256, 1), (100, 700), (4090, 10)])
    def test_q69_linux_understands_our_flush(self, good, lost):
        encryptor, linux = self.encryptor(), LinuxDecompressor(encryption(stateful=True))
        for _ in range(good):
            assert linux.decompress(encryptor.encrypt(DATAGRAM)) == DATAGRAM
        for _ in range(lost):
            encryptor.encrypt(DATAGRAM)
        assert linux.decompress(encryptor.encrypt(DATAGRAM)) is None
        encryptor.flush()
        for _ in range(600):
            assert linux.decompress(encryptor.encrypt(DATAGRAM)) == DATAGRAM

    def test_b104_no_key_stream_is_used_twice(self):
        """The RFC's own flush would encrypt two packets with the same octets."""
        encryptor = self.encryptor()
        seen = set()
        for _ in range(20):
            encryptor.flush()
            seen.add(encryptor.encrypt(DATAGRAM)[2:])
        assert len(seen) == 20

    def test_b105_many_requests_flush_one_packet(self):
        encryptor = self.encryptor()
        for _ in range(1000):
            encryptor.flush()
        assert [encryptor.encrypt(DATAGRAM)[:2].hex() for _ in range(2)] == ["90ff", "1100"]

    def test_b104_requests_are_few_a_second_and_end_at_a_hundred(self):
        _, decryptor, sequence = self.lose_step(3, 1)
        signals = [
            (now / 100, decryptor.decrypt(b"\x10\x20" + bytes(30), sequence + now, now / 100)[1])
            for now in range(200, 6000)
        ]
        asked = [now for now, signal in signals if signal is Signal.RESET]
        assert min(b - a for a, b in pairwise(asked)) >= mppe.RESET_INTERVAL - 1e-9
        assert len(asked) == mppe.MAX_RESETS - 1
        assert Signal.GIVE_UP in [signal for _, signal in signals]

    def test_b104_requests_are_forgiven_while_packets_flow(self):
        encryptor, decryptor, sequence = self.lose_step(3, 1)
        for number in range(300):
            encryptor.flush()
            for _ in range(100):
                assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), sequence)
                sequence += 1
            encryptor.encrypt(DATAGRAM)
            sequence += 2
            assert decryptor.decrypt(encryptor.encrypt(DATAGRAM), sequence - 1, 10.0 + number)[1] is Signal.RESET

    def test_b102_an_unmarked_flag_packet_is_dropped(self):
        encryptor, decryptor = self.encryptor(), self.decryptor()
        for number in range(255):
            assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), number)
        flag = encryptor.encrypt(DATAGRAM)
        assert not self.opens(decryptor, bytes([flag[0] & 0x7F]) + flag[1:], 255)
        assert self.opens(decryptor, flag, 255)

    @given(st.lists(st.tuples(st.integers(0, 4095), st.booleans(), st.binary(min_size=1, max_size=60)), max_size=8))
    def test_b103_forged_packets_change_nothing(self, forged):
        encryptor, decryptor = self.encryptor(), self.decryptor()
        for number in range(5):
            assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), number)
        for count, flushed, ciphertext in [*forged, (5, False, bytes(40))]:
            packet = ((0x9000 if flushed else 0x1000) | count).to_bytes(2, "big") + ciphertext
            assert decryptor.decrypt(packet, 5, 0.0)[0] is None
        assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), 5)
        assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), 6)

    def test_b103_an_old_flushed_packet_sent_again_does_not_turn_back_the_count(self):
        encryptor, decryptor, sequence = self.lose_step(3, 1, RfcEncryptor)
        encryptor.flush()
        flushed = encryptor.encrypt(DATAGRAM)
        assert self.opens(decryptor, flushed, sequence)
        for number in range(1, 5):
            assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), sequence + number)
        assert not self.opens(decryptor, flushed, sequence + 5)
        assert self.opens(decryptor, encryptor.encrypt(DATAGRAM), sequence + 5)


class PlausibleTests:
    """What is believed after decryption."""

    plausible = staticmethod(plausible)

    @pytest.mark.parametrize(
        "datagram",
        [
            b"\x00\x21" + INNER,
            b"\x21" + INNER,
            b"\x21" + INNER + b"padding",
            b"\x00\x57\x60" + bytes(39),
            b"\x57\x60" + bytes(3) + b"\x00\x02" + bytes(34) + b"ab",
        ],
    )
    def test_packets(self, datagram):
        assert self.plausible(datagram)

    def test_b100_chance_makes_no_packets(self):
        lot = Random(100)
        assert not any(self.plausible(lot.randbytes(60)) for _ in range(20_000))

    @pytest.mark.parametrize(
        "datagram",
        [
            b"",
            b"\x21",
            b"\x00\x21" + INNER[:19],
            b"\x21\x44" + INNER[1:],
            b"\x21\x46" + INNER[1:],
            b"\x21\x65" + INNER[1:],
            b"\x21" + INNER[:2] + b"\x00\x15" + INNER[4:],
            b"\x21" + INNER[:2] + b"\x00\x13" + INNER[4:],
            b"\x57\x40" + bytes(39),
            b"\x57\x60" + bytes(38),
            b"\x57\x60\x00\x00\x00\x00\x01" + bytes(34),
            b"\x2b\xff\xff",
            b"\x00\x2b\xff\xff",
            b"\x00\x1f\xff\xff",
            b"\x00\x22\xff\xff",
            b"\x00\xfb\xff\xff",
            b"\xc0\x21\x01\x01\x00\x04",
        ],
        ids=bytes.hex,
    )
    def test_rubbish(self, datagram):
        assert not self.plausible(datagram)
