"""MPPE: RFC 3078, with the keys of RFC 3079.

A packet is decrypted with keys derived beside the state and changes the state only when what comes out is plausible:
a forged or damaged packet changes nothing. The chain of stateless keys does not depend on the data, so keys derived
ahead for a forged packet are kept and serve the real ones: far counts cost an attacker's victim each key once. What
lies farther ahead than is kept is derived anew for each attempt; so each that fails is followed by a rest.
"""

import hashlib
from collections import deque
from enum import Enum
from struct import Struct

from Crypto.Cipher import ARC4

from openpptp.credentials import Encryption
from openpptp.crypto import get_new_key_from_sha, reduce_key
from openpptp.datapath.plausible import plausible
from openpptp.wire.gre import serial_distance

HEADER = 2
FLUSHED = 0x8000  # RFC 3078 section 3.1: bits A and D, and the coherency count
ENCRYPTED = 0x1000
COUNT = 0x0FFF
COUNTS = 4096
FLAG = 0xFF  # section 7.2: low octet of a count at which a stateful key changes

MAX_JUMP = 2047  # ours: keys derived ahead for one packet and kept; a farther count is a late packet's
REACH = 262144  # ours: and beside the chain, where the sequence numbers went on so far; some seconds of a fast line
REACH_REST = 20e-6  # ours: seconds of rest for each key beyond MAX_JUMP that was derived in vain
KEPT_KEYS = 64  # ours: keys of skipped packets, for those that come late; more than the window holds
REORDERED = 32  # ours: how far before the first packet after keys were set one may have been sent
SANITY_BAD = 100  # Linux ppp_mppe: a bit no sender sets; halved by each good packet
SANITY_LIMIT = 1600
RESET_INTERVAL = 0.1  # ours: seconds between two requests for a reset
MAX_RESETS = 100  # ours: more requests than this end the session
GOOD_STRETCH = 32  # ours: good packets that make up for one request
KEYS_TRIED = 8  # ours: keys tried for one flushed packet
HOPELESS_PACKETS = 100  # ours: this many that do not decrypt, and none that does for HOPELESS_TIME, may be the end
HOPELESS_TIME = 60.0

_SHA_PAD_1 = bytes(40)
_SHA_PAD_2 = b"\xf2" * 40
_WORD = Struct("!H")


class Signal(Enum):
    """What a packet that cannot be decrypted calls for."""

    NONE = "none"
    RESET = "reset"
    "Ask the peer for a CCP Reset (RFC 3078 section 8.2)."
    GIVE_UP = "give up"
    "The two ends cannot come together again."


class _Keys:
    """Session keys of one direction, each made from the one before (RFC 3078 section 7.3)."""

    __slots__ = ("_bits", "_length", "_start", "initial")

    def __init__(self, encryption: Encryption) -> None:
        self._bits = encryption.key_bits
        self._length = 16 if self._bits == 128 else 8
        start = encryption.start_key[: self._length]
        self._start = hashlib.sha1(start + _SHA_PAD_1, usedforsecurity=False)
        self.initial = reduce_key(get_new_key_from_sha(start, start, self._length), self._bits)

    def after(self, key: bytes) -> bytes:
        """Return the key that follows; get_new_key_from_sha with its first block hashed beforehand."""
        sha = self._start.copy()
        sha.update(key + _SHA_PAD_2)
        interim = sha.digest()[: self._length]
        return reduce_key(ARC4.new(interim).encrypt(interim), self._bits)


class Encryptor:
    """Our half: gives each datagram its coherency count and encrypts it.

    Stateful, the first packet does not say FLUSHED, although RFC 3078 section 3.1 would have it so: Linux takes the
    bit as a change of key and never sets it there itself, and for all others it makes no difference.
    """

    def __init__(self, encryption: Encryption) -> None:
        self._keys = _Keys(encryption)
        self._key = self._keys.initial
        self._cipher = ARC4.new(self._key)
        self._stateful = encryption.stateful
        self._count = 0

    @property
    def count(self) -> int:
        """The coherency count of the next packet."""
        return self._count

    def encrypt(self, datagram: bytes) -> bytes:
        """Return the information field of one PPP packet of protocol 0x00FD: header, then datagram encrypted."""
        count = self._count
        self._count = (count + 1) % COUNTS
        bits = ENCRYPTED
        if not self._stateful or count & FLAG == FLAG:
            self._key = self._keys.after(self._key)
            self._cipher = ARC4.new(self._key)
            bits |= FLUSHED
        return _WORD.pack(bits | count) + self._cipher.encrypt(datagram)

    def flush(self) -> None:
        """Answer a CCP Reset-Request: make the next packet one the peer can start again from (RFC 3078 section 8.2).

        The RFC's receiver then reads it with the current key, Linux's always with the next. They agree only on a
        flag packet, where the key changes for both; so the count goes on to the next flag, as if those between had
        been lost. No key stream is used twice this way, which the RFC's own manner cannot say.
        """
        if self._stateful:
            self._count |= FLAG


class _Chain:
    """Stateless keys by number: some ahead, those of skipped packets behind."""

    def __init__(self, keys: _Keys) -> None:
        self._keys = keys
        self._last = keys.initial
        self._first = 0
        self._chain: deque[bytes | None] = deque()

    def key(self, number: int) -> bytes | None:
        """Return the key of packet number, derived as needed; None when it was used or is forgotten."""
        if number < self._first:
            return None
        while number >= self._first + len(self._chain):
            self._last = self._keys.after(self._last)
            self._chain.append(self._last)
        return self._chain[number - self._first]

    def use(self, number: int) -> None:
        """Never give this key again, so that no packet is taken twice."""
        self._chain[number - self._first] = None

    def beyond(self, number: int) -> "_Chain":
        """Return a chain that ends with the key of packet number, far ahead; of those skipped it has KEPT_KEYS."""
        kept = deque(self._chain, maxlen=KEPT_KEYS + 1)
        key = self._last
        for _ in range(self._first + len(self._chain), number + 1):
            key = self._keys.after(key)
            kept.append(key)
        chain = _Chain(self._keys)
        chain._last = key
        chain._first = number + 1 - len(kept)
        chain._chain.extend(kept)
        return chain

    def forget_before(self, number: int) -> None:
        """Drop the keys of packets too late to be wanted."""
        while self._first < number:
            self._chain.popleft()
            self._first += 1


class StatelessDecryptor:
    """The peer's half when every packet has its own key (RFC 3078 sections 7.1 and 8.1)."""

    def __init__(self, encryption: Encryption, sequence: int | None) -> None:
        self._chain = _Chain(_Keys(encryption))
        self._latest = -1
        "Number of the newest packet decrypted; its count is that modulo 4096."
        self._sequence = sequence
        "Sequence number of that packet; before the first, the highest one seen when the keys were set."
        self._sanity = 0
        self._failed = 0
        self._good_at: float | None = None
        self._rest_until = 0.0
        self._clear = 0
        self._clear_at: int | None = None
        "How many frames in clear were accepted since that packet, and the sequence number of the last one."

    def decrypt(
        self, information: bytes, sequence: int, now: float, *, far: bool = False
    ) -> tuple[bytes | None, Signal]:
        """Return the datagram, or None and what to do about it.

        sequence is the GRE packet's: the count can have gone no farther than it. far: that number is believed
        although it jumped, so this is no late packet.
        """
        if len(information) <= HEADER:
            return None, Signal.NONE
        (word,) = _WORD.unpack_from(information)
        if word & (FLUSHED | ENCRYPTED) != FLUSHED | ENCRYPTED:
            self._sanity += SANITY_BAD
            return None, Signal.GIVE_UP if self._sanity > SANITY_LIMIT else Signal.NONE
        number = self._number(word & COUNT, sequence, far=far)
        datagram = None if number is None else self._open(self._chain, number, information)
        if datagram is None:
            number, datagram = self._reach(word & COUNT, sequence, information, now)
        if number is None or datagram is None:
            return None, self._failure(now)
        self._chain.use(number)
        self._sanity >>= 1
        self._failed = 0
        self._good_at = now
        if number > self._latest:
            self._latest = number
            self._sequence = sequence
            self._clear, self._clear_at = 0, None
            self._chain.forget_before(number - KEPT_KEYS)
        return datagram, Signal.NONE

    def passed(self, sequence: int) -> None:
        """Note a frame in clear that was accepted: the peer's numbers have gone on to its own."""
        self._clear += 1
        self._clear_at = sequence

    @staticmethod
    def _open(chain: _Chain, number: int, information: bytes) -> bytes | None:
        key = chain.key(number)
        datagram = None if key is None else ARC4.new(key).decrypt(information[HEADER:])
        return datagram if datagram is not None and plausible(datagram) else None

    def _room(self, sequence: int) -> int:
        """Return how far the count may have gone on."""
        room = MAX_JUMP if self._sequence is None else serial_distance(sequence, self._sequence)
        return room + REORDERED if self._latest < 0 else room

    def _number(self, count: int, sequence: int, *, far: bool) -> int | None:
        """Return which packet near the newest this is, None when the sequence number says it cannot be."""
        ahead = (count - self._latest) % COUNTS
        room = self._room(sequence)
        if ahead > MAX_JUMP or not ahead:
            ahead -= COUNTS
            return self._latest + ahead if room <= ahead and not far else None
        # A Linux sender without a route counts a packet in MPPE that GRE then does not number: each packet that failed
        # since the last good one may have come after one of those.
        return self._latest + ahead if ahead <= room + self._failed else None

    def _reach(self, count: int, sequence: int, information: bytes, now: float) -> tuple[int | None, bytes | None]:
        """Decrypt the first packet after a long loss, if it is one.

        The loss may hide whole turns of the count. Nearly all packets carry one, so the longest jump is meant.
        """
        ahead = (count - self._latest) % COUNTS
        room = min(self._room(sequence), REACH)
        ahead += max(0, room - ahead) // COUNTS * COUNTS
        if not MAX_JUMP < ahead <= room or now < self._rest_until:
            return None, None
        number = self._latest + ahead
        chain = self._chain.beyond(number)
        datagram = self._open(chain, number, information)
        if datagram is None:
            self._rest_until = now + (ahead - MAX_JUMP) * REACH_REST
        else:
            self._chain = chain
        return number, datagram

    def _failure(self, now: float) -> Signal:
        if self._good_at is None:
            self._good_at = now
        self._failed += 1
        hopeless = self._failed >= HOPELESS_PACKETS and now - self._good_at >= HOPELESS_TIME
        return Signal.GIVE_UP if hopeless and self._is_the_peers() else Signal.NONE

    def _is_the_peers(self) -> bool:
        """Say whether what does not decrypt comes from the peer: the session has worked, and it may be a forger's.

        Then the peer's frames in clear follow each other; where it is the peer's, their numbers leave room for it.
        """
        if self._latest < 0:
            return True
        if self._sequence is None or self._clear_at is None:
            return False
        return serial_distance(self._clear_at, self._sequence) - self._clear >= HOPELESS_PACKETS


class StatefulDecryptor:
    """The peer's half when one key stream runs through many packets (RFC 3078 sections 7.2 and 8.2).

    Must be given packets in order. There is no state of discarding: after a loss no count fits until a flushed packet
    comes, while a forged packet out of step leaves the real ones decryptable.
    """

    def __init__(self, encryption: Encryption, sequence: int | None) -> None:
        self._keys = _Keys(encryption)
        self._key = self._keys.initial
        self._cipher = ARC4.new(self._key)
        self._consumed = 0
        "Octets of key stream used, so that a packet that was not meant can be taken back."
        self._expected = 0
        self._sequence = sequence
        self._sanity = 0
        self._resets = 0
        self._reset_at: float | None = None
        self._unanswered = 0
        "Requests since the last good packet: so many flushed packets may have been lost, each a key change to Linux."
        self._good = 0
        self._rest_until = 0.0

    def decrypt(
        self, information: bytes, sequence: int, now: float, *, far: bool = False
    ) -> tuple[bytes | None, Signal]:
        """Return the datagram, or None and what to do about it; sequence is the GRE packet's."""
        if len(information) <= HEADER:
            return None, Signal.NONE
        (word,) = _WORD.unpack_from(information)
        count = word & COUNT
        if not word & ENCRYPTED or (count & FLAG == FLAG and not word & FLUSHED):
            self._sanity += SANITY_BAD
            return None, Signal.GIVE_UP if self._sanity > SANITY_LIMIT else Signal.NONE
        if word & FLUSHED:
            room = 0 if self._sequence is None or far else serial_distance(sequence, self._sequence)
            flushes = self._unanswered + 2  # each may have gone on by 255, see Encryptor.flush
            if room > 0 and (count - self._expected) % COUNTS > room + flushes * (FLAG + 1):
                return None, Signal.NONE  # an old packet sent again
            datagram = self._restart(count, room, information[HEADER:], now)
            if datagram is None:
                return None, self._lost_step(now)
        elif count == self._expected:
            datagram = self._continue(information[HEADER:])
            if datagram is None:
                return None, Signal.NONE  # had it been real, the next count will tell
        else:
            return None, self._lost_step(now)
        self._expected = (count + 1) % COUNTS
        self._sequence = sequence
        self._sanity >>= 1
        self._unanswered = 0
        self._good += 1
        if self._good % GOOD_STRETCH == 0 and self._resets:
            self._resets -= 1
        return datagram, Signal.NONE

    def _continue(self, ciphertext: bytes) -> bytes | None:
        datagram = self._cipher.decrypt(ciphertext)
        if not plausible(datagram):
            self._cipher = ARC4.new(self._key, drop=self._consumed)
            return None
        self._consumed += len(datagram)
        return datagram

    def _restart(self, count: int, room: int, ciphertext: bytes, now: float) -> bytes | None:
        """Decrypt with new tables, by the RFC with the current key, by Linux with the next one: plausible decides."""
        key = self._key
        ahead = (count - self._expected) % COUNTS
        flags_missed = (ahead + (self._expected & FLAG)) >> 8
        turned = 0 if now < self._rest_until else self._turns(ahead, room) * (COUNTS >> 8)
        for _ in range(turned + flags_missed + (count & FLAG == FLAG)):
            key = self._keys.after(key)
        for _ in range(min(KEYS_TRIED, self._unanswered + 2)):
            cipher = ARC4.new(key)
            datagram = cipher.decrypt(ciphertext)
            if plausible(datagram):
                self._key, self._cipher, self._consumed = key, cipher, len(datagram)
                return datagram
            key = self._keys.after(key)
        if turned:
            self._rest_until = now + turned * REACH_REST
        return None

    @staticmethod
    def _turns(ahead: int, room: int) -> int:
        """Return how many whole turns of the count a long loss hides, the peer having flushed a few times since."""
        most = min(room, REACH) + KEYS_TRIED * (FLAG + 1)
        return max(0, most - ahead) // COUNTS

    def _lost_step(self, now: float) -> Signal:
        if self._reset_at is not None and now - self._reset_at < RESET_INTERVAL:
            return Signal.NONE
        self._reset_at = now
        self._resets += 1
        self._unanswered += 1
        return Signal.RESET if self._resets <= MAX_RESETS else Signal.GIVE_UP


Decryptor = StatelessDecryptor | StatefulDecryptor


def decryptor(encryption: Encryption, sequence: int | None = None) -> Decryptor:
    """Return the decryptor for what CCP agreed on; sequence is the highest GRE number received so far."""
    return (StatefulDecryptor if encryption.stateful else StatelessDecryptor)(encryption, sequence)
