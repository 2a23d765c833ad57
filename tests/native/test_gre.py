"""The tests of wire/gre.py against native/gre.c."""

from tests.native.parts import part
from tests.wire import test_gre as reference

from openpptp.wire import gre

_PART = part(
    """
    struct gre {
        uint16_t call_id;
        bool has_sequence;
        bool has_acknowledgement;
        uint32_t sequence;
        uint32_t acknowledgement;
        const uint8_t *payload;
        uint32_t length;
    };
    bool gre_decode(struct gre *gre, const uint8_t *packet, size_t length);
    uint8_t *gre_encode(uint8_t *end, uint16_t peer_call_id, uint16_t payload, const uint32_t *sequence,
                        const uint32_t *acknowledgement);
    int32_t serial_distance(uint32_t later, uint32_t earlier);
    """,
    "gre.c",
    include='#include "gre.h"',
)
ffi, lib = _PART.ffi, _PART.lib


class NativeGre:
    """gre.c with the functions of wire/gre.py."""

    serial_add = staticmethod(gre.serial_add)
    serial_distance = staticmethod(lib.serial_distance)

    @staticmethod
    def encode(
        call_id: int, payload: bytes = b"", sequence: int | None = None, acknowledgement: int | None = None
    ) -> bytes:
        """Write the header before the payload, as a path does."""
        packet = ffi.new("uint8_t[]", bytes(16) + payload)
        numbers = [
            ffi.NULL if number is None else ffi.new("uint32_t *", number) for number in (sequence, acknowledgement)
        ]
        begin = lib.gre_encode(packet + 16, call_id, len(payload), *numbers)
        return bytes(ffi.buffer(begin, packet + 16 - begin + len(payload)))

    @staticmethod
    def decode(packet: bytes) -> tuple[int, int | None, int | None, bytes]:
        """Read it; the engine refuses without a reason, so the reference gives it."""
        found = ffi.new("struct gre *")
        octets = ffi.from_buffer(packet)
        if not lib.gre_decode(found, octets, len(packet)):
            gre.decode(packet)
            raise AssertionError("only the engine refuses it")
        return (
            found.call_id,
            found.sequence if found.has_sequence else None,
            found.acknowledgement if found.has_acknowledgement else None,
            bytes(ffi.buffer(found.payload, found.length)),
        )


class EnhancedGreHeaderTests(reference.EnhancedGreHeaderTests):
    gre = NativeGre


class SerialNumberTests(reference.SerialNumberTests):
    gre = NativeGre
