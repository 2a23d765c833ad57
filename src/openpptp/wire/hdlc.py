"""Asynchronous HDLC-like framing, for serial lines and ptys.

RFC 1662 sections 3 and 4, appendix C. PPTP itself carries frames bare; this stands where an octet stream does.
"""

import re
from functools import lru_cache

FLAG = 0x7E
ESCAPE = 0x7D
DEFAULT_ACCM = 0xFFFFFFFF  # RFC 1662 section 7.1: all control characters escaped until something else is agreed
GOOD_FCS = 0xF0B8  # appendix C.2: what a frame with its right FCS sums up to
MIN_FRAME = 4  # section 4.3, FCS included
MAX_FRAME = 4096  # ours: bounds the memory a line without flags can take; PPP frames have 1500 octets


def _table() -> tuple[int, ...]:
    values = []
    for octet in range(256):
        value = octet
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
        values.append(value)
    return tuple(values)


_FCS_TABLE = _table()


def fcs16(data: bytes, fcs: int = 0xFFFF) -> int:
    """Return the running 16-bit FCS after data (appendix C.2); its complement is what goes on the line."""
    for octet in data:
        fcs = fcs >> 8 ^ _FCS_TABLE[(fcs ^ octet) & 0xFF]
    return fcs


@lru_cache(maxsize=8)
def _escapes(accm: int) -> tuple[bytes, ...]:
    def form(octet: int) -> bytes:
        mapped = octet in (FLAG, ESCAPE) or (octet < 32 and accm >> octet & 1)
        return bytes((ESCAPE, octet ^ 0x20)) if mapped else bytes((octet,))

    return tuple(form(octet) for octet in range(256))


def encode(frame: bytes, accm: int = DEFAULT_ACCM) -> bytes:
    """Return frame with FCS and flags, control characters in accm escaped (sections 4.2 and 7.1).

    LCP packets go with DEFAULT_ACCM whatever was negotiated.
    """
    escapes = _escapes(accm)
    fcs = fcs16(frame) ^ 0xFFFF
    return b"\x7e" + b"".join(escapes[octet] for octet in frame + fcs.to_bytes(2, "little")) + b"\x7e"


class Decoder:
    """Cuts an octet stream into frames; survives anything, drops what is damaged and counts it."""

    def __init__(self, accm: int = 0) -> None:
        """Discard control characters in accm that arrive bare: a modem put them there (section 7.1)."""
        self.dropped = 0
        "Frames that were too short, too long, aborted or damaged on the line."
        self._discard = bytes(octet for octet in range(32) if accm >> octet & 1)
        self._pending = bytearray()
        self._overrun = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that data completes, without FCS."""
        frames = []
        *closed, rest = bytes(data).split(b"\x7e")
        for part in closed:
            self._keep(part)
            frame = self._close()
            if frame is not None:
                frames.append(frame)
        self._keep(rest)
        return frames

    def _keep(self, part: bytes) -> None:
        """Add to the frame under way, up to what an escaped frame of MAX_FRAME can take."""
        self._pending += part.translate(None, self._discard)
        if len(self._pending) > 2 * MAX_FRAME:
            self._pending.clear()
            self._overrun = True

    def _close(self) -> bytes | None:
        """End the frame under way and return it when it is whole."""
        raw, overrun = bytes(self._pending), self._overrun
        self._pending.clear()
        self._overrun = False
        if not raw and not overrun:
            return None  # two flags in a row, or the first flag of all
        aborted = raw[-1:] == b"\x7d"  # section 4.3: escape followed by flag
        frame = re.sub(rb"\x7d(.)", lambda m: bytes((m[1][0] ^ 0x20,)), raw, flags=re.DOTALL)
        if overrun or aborted or len(frame) < MIN_FRAME or fcs16(frame) != GOOD_FCS:
            self.dropped += 1
            return None
        return frame[:-2]
