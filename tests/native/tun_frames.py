"""Frames of the TUN device (struct virtio_net_hdr and a packet) through native/segment.c and native/merge.c."""

from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any, NamedTuple

from tests.native.parts import part

NEEDS_CHECKSUM = 1
NONE, TCP_V4, TCP_V6, UDP, ECN = 0, 1, 4, 5, 0x80
EMPTY = bytes(10)

_PART = part(
    """
    struct segmenter { ...; };
    bool segment_begin(struct segmenter *segmenter, uint8_t *frame, size_t length);
    size_t segment_next(struct segmenter *segmenter, uint8_t *to, size_t room);
    struct iovec { void *iov_base; size_t iov_len; ...; };
    struct merger { bool datagrams; uint64_t merged; uint64_t refused; ...; };
    bool merge_begin(struct merger *merger, bool (*write)(void *context, const struct iovec *pieces, int count,
                     uint32_t packets), void *context);
    void merge_end(struct merger *merger);
    void merge_take(struct merger *merger, const uint8_t *packet, size_t length);
    void merge_flush(struct merger *merger);
    extern "Python" bool write_frame(void *context, const struct iovec *pieces, int count, uint32_t packets);
    """,
    "segment.c",
    "merge.c",
    "mergeable.c",
    "ip.c",
    include='#include "merge.h"\n#include "segment.h"',
)
ffi: Any = _PART.ffi
lib: Any = _PART.lib


class Header(NamedTuple):
    """What stands before the packet, in the machine's own octet order."""

    flags: int = 0
    kind: int = NONE
    headers: int = 0
    size: int = 0
    checksum_start: int = 0
    checksum_offset: int = 0

    _LAYOUT = Struct("=BBHHHH")

    def encode(self) -> bytes:
        return self._LAYOUT.pack(*self)

    @classmethod
    def decode(cls, frame: bytes) -> "Header":
        return cls(*cls._LAYOUT.unpack_from(frame))


class Frame(NamedTuple):
    octets: bytes
    packets: int

    @property
    def header(self) -> Header:
        return Header.decode(self.octets)

    @property
    def packet(self) -> bytes:
        return self.octets[10:]


def cut(frame: bytes) -> list[bytes] | None:
    """Return the packets of one frame; None when its header contradicts the packet."""
    segmenter, octets = ffi.new("struct segmenter *"), ffi.new("uint8_t[]", frame)
    if not lib.segment_begin(segmenter, octets, len(frame)):
        return None
    to = ffi.new("uint8_t[]", 65536)
    packets = []
    while length := lib.segment_next(segmenter, to, 65536):
        packets.append(ffi.buffer(to, length)[:])
    return packets


@ffi.def_extern()
def write_frame(context: Any, pieces: Any, count: int, packets: int) -> bool:
    octets = b"".join(ffi.buffer(pieces[i].iov_base, pieces[i].iov_len)[:] for i in range(count))
    return bool(ffi.from_handle(context)(Frame(octets, packets)))


def merge_into(write: Callable[[Frame], bool], packets: Iterable[bytes], *, datagrams: bool = True) -> tuple[int, int]:
    """Hand all packets to a merger that writes frames; return how many were merged, and how many refused.

    datagrams says whether those of UDP may be merged.
    """
    merger, handle = ffi.new("struct merger *"), ffi.new_handle(write)
    assert lib.merge_begin(merger, lib.write_frame, handle)
    merger.datagrams = datagrams
    kept = [(ffi.new("uint8_t[]", packet), len(packet)) for packet in packets]
    for octets, length in kept:
        lib.merge_take(merger, octets, length)
    lib.merge_flush(merger)
    lib.merge_end(merger)
    return merger.merged, merger.refused


def merge(packets: Iterable[bytes], *, datagrams: bool = True) -> list[Frame]:
    """Return the frames that packets become."""
    frames: list[Frame] = []

    def write(frame: Frame) -> bool:
        frames.append(frame)
        return True

    merge_into(write, packets, datagrams=datagrams)
    return frames
