"""The tests of datapath/mppe.py against native/mppe.c: with packets decrypted alone, and foreseen for a batch.

And both fed with the same lot of lost, late, repeated, forged and damaged packets: the same comes out.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.datapath import test_mppe as reference
from tests.datapath.mppe_vectors import INNER
from tests.native.parts import NATIVE, part

from openpptp.credentials import Encryption
from openpptp.datapath import mppe
from openpptp.datapath.mppe import Signal

SIGNALS = (Signal.NONE, Signal.RESET, Signal.GIVE_UP)
"In the order of mppe.h."

_PART = part(
    """
    enum mppe_signal { MPPE_NONE, MPPE_RESET, MPPE_GIVE_UP, ... };
    struct engine_encryption { uint8_t start_key[16]; uint32_t key_bits; int32_t stateful; };
    struct mppe_start { uint8_t start_key[16]; uint8_t length; uint8_t bits; };
    struct key_chain { struct mppe_start start; uint64_t derived; uint32_t capacity; ...; };
    struct cipher_batch { size_t jobs_count; size_t chains_count; ...; };
    struct encryptor { uint16_t count; struct key_chain chain; ...; };
    struct decryptor { struct key_chain chain; ...; };
    void initial_key(const struct mppe_start *start, uint8_t key[16]);
    void next_key(const struct mppe_start *start, uint8_t key[16]);
    void lanes_run(struct cipher_batch *batch);
    int encryptor_begin(struct encryptor *encryptor, const struct engine_encryption *encryption);
    void encryptor_end(struct encryptor *encryptor);
    void encryptor_flush(struct encryptor *encryptor);
    bool encryptor_encrypt(struct encryptor *encryptor, uint8_t *header, size_t length, struct cipher_batch *batch);
    void encryptor_rest(struct encryptor *encryptor);
    int decryptor_begin(struct decryptor *decryptor, const struct engine_encryption *encryption,
                        const uint32_t *sequence);
    void decryptor_end(struct decryptor *decryptor);
    int64_t decryptor_foresee(struct decryptor *decryptor, const uint8_t *information, size_t information_length,
                              uint32_t sequence, uint8_t *plain, struct cipher_batch *batch);
    size_t decryptor_decrypt(struct decryptor *decryptor, const uint8_t *information, size_t information_length,
                             uint32_t sequence, double now, bool far, int64_t foreseen, uint8_t *plain,
                             enum mppe_signal *signal);
    void decryptor_passed(struct decryptor *decryptor, uint32_t sequence);
    void decryptor_rest(struct decryptor *decryptor);
    bool plausible(const uint8_t *datagram, size_t length);
    """,
    *(path.name for room in ("mppe*", "chain", "ip", "lanes*", "sha1*") for path in sorted(NATIVE.glob(f"{room}.c"))),
    include=r"""
    #include "ip.h"
    #include "mppe.h"
    """,
)
_FFI, _LIB = _PART.ffi, _PART.lib

Arrived = tuple[bytes, int, float, bool]
"Information field, sequence number, when, far."
Opened = tuple[bytes | None, Signal]


def _engine_encryption(what: Encryption) -> Any:
    return _FFI.new(
        "struct engine_encryption *",
        {"start_key": what.start_key.ljust(16, b"\xee"), "key_bits": what.key_bits, "stateful": what.stateful},
    )


def _octets(octets: bytes) -> Any:
    """Return C memory of exactly these octets."""
    memory = _FFI.new("uint8_t[]", len(octets))
    _FFI.buffer(memory)[:] = octets
    return memory


class NativeEncryptor:
    """encryptor_* with the names of the reference; each packet is a batch of its own."""

    def __init__(self, what: Encryption) -> None:
        self._batch = _FFI.new("struct cipher_batch *")
        self._encryptor = _FFI.gc(_FFI.new("struct encryptor *"), _LIB.encryptor_end)
        assert _LIB.encryptor_begin(self._encryptor, _engine_encryption(what)) == 0

    @property
    def count(self) -> int:
        return self._encryptor.count

    def encrypt(self, datagram: bytes) -> bytes:
        return self.encrypt_together([datagram])[0]

    def encrypt_together(self, datagrams: list[bytes]) -> list[bytes]:
        """Encrypt some in one batch; more than it holds are more than one."""
        packets = [_octets(bytes(2) + datagram) for datagram in datagrams]
        for packet in packets:
            assert _LIB.encryptor_encrypt(self._encryptor, packet, len(packet) - 2, self._batch)
        _LIB.lanes_run(self._batch)
        return [bytes(packet) for packet in packets]

    def flush(self) -> None:
        _LIB.encryptor_flush(self._encryptor)

    def rest(self) -> None:
        _LIB.encryptor_rest(self._encryptor)


class NativeDecryptor:
    """decryptor_decrypt with the name of the reference: nothing is foreseen."""

    def __init__(self, what: Encryption, sequence: int | None) -> None:
        self.batch = _FFI.new("struct cipher_batch *")
        self.decryptor = _FFI.gc(_FFI.new("struct decryptor *"), _LIB.decryptor_end)
        highest = _FFI.NULL if sequence is None else _FFI.new("uint32_t *", sequence)
        assert _LIB.decryptor_begin(self.decryptor, _engine_encryption(what), highest) == 0

    def decrypt(self, information: bytes, sequence: int, now: float, *, far: bool = False) -> Opened:
        return self.decrypt_together([(information, sequence, now, far)])[0]

    def decrypt_together(self, arrived: list[Arrived]) -> list[Opened]:
        return [
            self.decrypt_foreseen(packet, -1, _FFI.new("uint8_t[]", max(0, len(packet[0]) - 2))) for packet in arrived
        ]

    def decrypt_foreseen(self, packet: Arrived, foreseen: int, plain: Any) -> Opened:
        information, sequence, now, far = packet
        signal = _FFI.new("enum mppe_signal *")
        octets = _octets(information)
        length = _LIB.decryptor_decrypt(
            self.decryptor, octets, len(information), sequence, now, far, foreseen, plain, signal
        )
        assert length in (0, len(information) - 2)
        return (bytes(plain[0:length]) if length else None), SIGNALS[signal[0]]

    def passed(self, sequence: int) -> None:
        _LIB.decryptor_passed(self.decryptor, sequence)

    def rest(self) -> None:
        _LIB.decryptor_rest(self.decryptor)
        assert self.decryptor.chain.capacity == 0


class ForeseeingDecryptor(NativeDecryptor):
    """The same, each packet foreseen; those given together in one batch."""

    foreseen = 0
    "How many were."

    def decrypt_together(self, arrived: list[Arrived]) -> list[Opened]:
        plain = [_FFI.new("uint8_t[]", max(0, len(packet[0]) - 2)) for packet in arrived]
        octets = [_octets(packet[0]) for packet in arrived]
        foreseen = [
            _LIB.decryptor_foresee(self.decryptor, octets[n], len(octets[n]), arrived[n][1], plain[n], self.batch)
            for n in range(len(arrived))
        ]
        _LIB.lanes_run(self.batch)
        self.foreseen += sum(number >= 0 for number in foreseen)
        return [self.decrypt_foreseen(arrived[n], foreseen[n], plain[n]) for n in range(len(arrived))]


class Alone:
    """Makes the native subjects of the tests."""

    stateful = False
    native: type[NativeDecryptor] = NativeDecryptor

    def encryptor(self, what: Encryption | None = None) -> NativeEncryptor:
        return NativeEncryptor(what or reference.encryption(stateful=self.stateful))

    def decryptor(self, what: Encryption | None = None, sequence: int | None = None) -> NativeDecryptor:
        return self.native(what or reference.encryption(stateful=self.stateful), sequence)

    def keys(self, what: Encryption) -> Iterator[bytes]:
        length = len(what.start_key)
        start = _FFI.new(
            "struct mppe_start *",
            {"start_key": what.start_key.ljust(16, b"\0"), "length": length, "bits": what.key_bits},
        )
        key = _FFI.new("uint8_t[16]")
        _LIB.initial_key(start, key)
        while True:
            yield bytes(key)[:length]
            _LIB.next_key(start, key)

    def derivations(self, decryptor: NativeDecryptor, action: Callable[[], None]) -> int:
        before = decryptor.decryptor.chain.derived
        action()
        return decryptor.decryptor.chain.derived - before


class Foreseen(Alone):
    native = ForeseeingDecryptor


class KeyChangeTests(Alone, reference.KeyChangeTests):
    """7.3. The MPPE Key Change Algorithm; RFC 3079 section 3.5."""


class StatelessFrameTests(Alone, reference.StatelessFrameTests):
    """3.1. MPPE Packets, stateless."""


class StatelessFrameForeseenTests(Foreseen, reference.StatelessFrameTests):
    """3.1. MPPE Packets, stateless."""


class StatelessSynchronizationTests(Alone, reference.StatelessSynchronizationTests):
    """8.1. Stateless Synchronization."""


class StatelessSynchronizationForeseenTests(Foreseen, reference.StatelessSynchronizationTests):
    """8.1. Stateless Synchronization."""


class ForgedPacketTests(Alone, reference.ForgedPacketTests):
    """9. Security Considerations: no integrity, so at least no harm."""


class ForgedPacketForeseenTests(Foreseen, reference.ForgedPacketTests):
    """9. Security Considerations: no integrity, so at least no harm."""


class StatefulFrameTests(Alone, reference.StatefulFrameTests):
    """7.2. Stateful Mode Key Changes."""

    stateful = True


class StatefulFrameForeseenTests(Foreseen, reference.StatefulFrameTests):
    """7.2. Stateful Mode Key Changes: nothing can be foreseen."""

    stateful = True


class StatefulSynchronizationTests(Alone, reference.StatefulSynchronizationTests):
    """8.2. Stateful Synchronization."""

    stateful = True


class StatefulSynchronizationForeseenTests(Foreseen, reference.StatefulSynchronizationTests):
    """8.2. Stateful Synchronization: nothing can be foreseen."""

    stateful = True


class PlausibleTests(reference.PlausibleTests):
    """What is believed after decryption."""

    @staticmethod
    def plausible(datagram: bytes) -> bool:
        return _LIB.plausible(_octets(datagram), len(datagram))


class Pair:
    """Reference and engine at both ends of one road, and what is on it."""

    def __init__(self, what: Encryption, sequence: int | None) -> None:
        self.stateful = what.stateful
        self.encryptor = mppe.Encryptor(what)
        self.native_encryptor = NativeEncryptor(what)
        self.decryptor = mppe.decryptor(what, sequence)
        self.natives = [NativeDecryptor(what, sequence), ForeseeingDecryptor(what, sequence)]
        self.sequence = sequence or 0
        self.road: list[tuple[bytes, int]] = []
        self.sent: list[tuple[bytes, int]] = []
        self.now = 0.0

    def send(self, count: int) -> None:
        datagrams = [b"\x00\x21" + INNER + (len(self.sent) + n).to_bytes(4, "big") for n in range(count)]
        packets = self.native_encryptor.encrypt_together(datagrams)
        assert packets == [self.encryptor.encrypt(datagram) for datagram in datagrams]
        assert self.native_encryptor.count == self.encryptor.count
        for packet in packets:
            self.sequence = (self.sequence + 1) % 2**32
            self.sent.append((packet, self.sequence))
            self.road.append(self.sent[-1])

    def lose(self, count: int) -> None:
        on_the_road = len(self.road)
        self.send(count)
        del self.road[on_the_road:]

    def reorder(self, place: int, by: int) -> None:
        if place < len(self.road):
            self.road.insert(place + by, self.road.pop(place))

    def repeat(self, back: int) -> None:
        if back < len(self.sent):
            self.road.append(self.sent[-1 - back])

    def forge(self, bits: int, ahead: int, jump: int, text: bytes) -> None:
        """Put in a packet whose count and number have gone on so far from the newest."""
        count = (self.encryptor.count + ahead) % 4096
        self.road.append(((bits << 12 | count).to_bytes(2, "big") + text, (self.sequence + jump) % 2**32))

    def damage(self, place: int, bit: int) -> None:
        if place < len(self.road):
            packet, sequence = self.road[place]
            octets = bytearray(packet)
            octets[bit // 8 % len(octets)] ^= 1 << bit % 8
            self.road[place] = bytes(octets), sequence

    def clear(self, count: int) -> None:
        """Let frames in clear arrive, which take numbers."""
        for _ in range(count):
            self.sequence = (self.sequence + 1) % 2**32
            for decryptor in (self.decryptor, *self.natives):
                if not self.stateful:
                    decryptor.passed(self.sequence)

    def flush(self) -> None:
        self.encryptor.flush()
        self.native_encryptor.flush()

    def wait(self, hundredths: int) -> None:
        self.now += hundredths / 100

    def arrive(self, far: bool) -> None:
        """Let all that is on the road arrive together."""
        batch = [(packet, sequence, self.now, far and not n) for n, (packet, sequence) in enumerate(self.road)]
        self.road.clear()
        expected = [
            self.decryptor.decrypt(packet, sequence, now, far=is_far) for packet, sequence, now, is_far in batch
        ]
        for native in self.natives:
            assert native.decrypt_together(batch) == expected

    def rest(self) -> None:
        self.native_encryptor.rest()
        for native in self.natives:
            native.rest()


def _step(name: str, *strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(name), *strategies)


_SMALL = st.integers(0, 80)
STEPS = st.one_of(
    _step("send", st.integers(1, 100)),
    _step("lose", st.integers(1, 100) | st.sampled_from([255, 2046, 2047, 4095, 4096, 9000])),
    _step("reorder", _SMALL, st.integers(1, 70)),
    _step("repeat", _SMALL),
    _step(
        "forge",
        st.sampled_from([0x0, 0x1, 0x8, 0x9, 0xB, 0xF]),
        st.integers(-4095, 4095),
        st.integers(-5000, 9000),
        st.binary(max_size=60),
    ),
    _step("damage", _SMALL, st.integers(0, 400)),
    _step("clear", st.sampled_from([1, 101])),
    _step("flush"),
    _step("wait", st.sampled_from([1, 9, 11, 6001])),
    _step("arrive", st.booleans()),
    _step("rest"),
)


class DifferentialTests:
    """Whatever arrives, the engine says what the reference says."""

    @pytest.mark.parametrize("stateful", [False, True])
    @given(
        bits=st.sampled_from([40, 56, 128]),
        sequence=st.none() | st.sampled_from([0, 2**31 - 10, 2**32 - 40]),
        steps=st.lists(STEPS, max_size=40),
    )
    def test_b103_lost_late_repeated_forged_and_damaged_packets(self, stateful, bits, sequence, steps):
        pair = Pair(reference.encryption(bits, stateful=stateful), sequence)
        for name, *arguments in steps:
            getattr(pair, name)(*arguments)
        pair.arrive(False)
        pair.send(3)
        pair.arrive(False)

    @pytest.mark.parametrize("stateful", [False, True])
    def test_a_long_run_with_every_trouble(self, stateful):
        pair = Pair(reference.encryption(stateful=stateful), 2**32 - 100)
        for turn in range(120):
            pair.send(1 + turn * 7 % 70)
            if turn % 3:
                pair.reorder(turn % 5, turn % 60)
            if turn % 4 == 0:
                pair.lose(turn)
            if turn % 11 == 0:
                pair.repeat(turn % 80)
            if turn % 13 == 0:
                pair.forge(9, turn * 31 % 2000, turn * 31 % 2500, bytes(40))
            if turn % 17 == 0:
                pair.rest()
            if turn % 19 == 0:
                pair.damage(0, turn)
            pair.wait(11)
            pair.arrive(turn == 60)
            if turn % 5 == 0:
                pair.flush()

    @pytest.mark.parametrize("stateful", [False, True])
    def test_bursts_of_loss_and_what_was_forged_meanwhile(self, stateful):
        pair = Pair(reference.encryption(stateful=stateful), 2**32 - 7000)
        for turn, lost in enumerate((2047, 9000, 4096, 60_000, 2048)):
            pair.send(40)
            pair.arrive(False)
            pair.lose(lost)
            pair.forge(9, 5 * turn, 3 * lost, bytes(40))
            pair.arrive(True)
            pair.flush()
            pair.wait(turn)
            pair.send(40)
            pair.reorder(3, 30)
            pair.arrive(turn % 2 == 0)
            if turn % 2:
                pair.rest()
            pair.wait(500)
        pair.flush()
        pair.send(3)
        newest = pair.road[-1]
        pair.arrive(False)
        assert pair.decryptor._sequence == newest[1]

    def test_a_run_in_order_is_foreseen_whole(self):
        pair = Pair(reference.encryption(), None)
        for _ in range(100):
            pair.send(64)
            pair.arrive(False)
        assert pair.natives[1].foreseen == 6400

    def test_what_follows_a_burst_of_loss_is_foreseen(self):
        pair = Pair(reference.encryption(), None)
        pair.send(64)
        pair.arrive(False)
        pair.lose(90)
        pair.send(64)
        pair.arrive(False)
        assert pair.natives[1].foreseen == 128

    @pytest.mark.parametrize("bits", [0, 64, 129])
    def test_no_other_key_length_is_begun(self, bits):
        what = _FFI.new("struct engine_encryption *", {"key_bits": bits})
        assert _LIB.encryptor_begin(_FFI.new("struct encryptor *"), what) < 0
        assert _LIB.decryptor_begin(_FFI.new("struct decryptor *"), what, _FFI.NULL) < 0
