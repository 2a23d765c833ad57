"""Paths of the engine with the interface of datapath/path.py, for tests of the reference that run against both."""

from dataclasses import fields
from typing import Any

from tests.native.parts import NATIVE, part

from openpptp.credentials import Encryption
from openpptp.datapath.path import Item, Way
from openpptp.datapath.seam import Counters, Inside, Rate
from openpptp.datapath.window import WINDOW
from openpptp.machine import Deadline

WAYS = (Way.INSIDE, Way.OUTSIDE, Way.UP, Way.LOST_STEP, Way.GAVE_UP)
"In the order of engine.h."
ROOMS = ("bucket", "c[hl]a*", "[de]*capsulate", "gre", "icmp", "ip", "lanes*", "mppe*", "path", "sha1*", "window")
REASONS = {1: "held packets", 2: "owed acknowledgement"}

COUNTERS = f"""
    struct engine_counters {{
        {" ".join(f"{'double' if name.startswith('last_') else 'uint64_t'} {name};" for name in Counters.__slots__)}
        ...;
    }};
"""

_PART = part(
    f"""
    {COUNTERS}
    struct engine_encryption {{ uint8_t start_key[16]; uint32_t key_bits; int32_t stateful; }};
    struct engine_prefix {{ uint32_t network; uint32_t length; }};
    struct engine_rate {{ uint64_t bits_per_second; uint64_t burst_octets; }};
    struct engine_inside {{
        uint32_t mtu;
        int32_t encryption_required;
        int32_t compress_address_control;
        int32_t compress_protocol;
        int32_t clamp_segment_size;
        int32_t has_peer_identifier;
        uint8_t peer_identifier[8];
        struct engine_rate rate_in;
        struct engine_rate rate_out;
    }};
    struct item {{ uint32_t way; uint32_t offset; uint32_t length; }};
    struct twin {{ uint32_t count; struct item items[...]; uint8_t octets[...]; uint32_t *peer_has; ...; }};
    struct twin *twin_new(uint32_t receive_window, uint32_t first_sequence);
    void twin_free(struct twin *twin);
    void twin_connect(struct twin *twin, uint16_t peer_call_id);
    int twin_interface_up(struct twin *twin, const struct engine_inside *inside, const struct engine_prefix *allowed,
                          uint32_t allowed_count);
    void twin_interface_down(struct twin *twin);
    int twin_encryption_up(struct twin *twin, const struct engine_encryption *send,
                           const struct engine_encryption *receive);
    void twin_encryption_down(struct twin *twin);
    void twin_encryption_flush(struct twin *twin);
    void twin_encapsulate(struct twin *twin, const uint8_t *packet, size_t length, double now);
    void twin_encapsulate_frame(struct twin *twin, const uint8_t *frame, size_t length);
    void twin_decapsulate(struct twin *twin, const uint32_t *sequence, const uint32_t *acknowledgement,
                          const uint8_t *payload, uint32_t length, double now);
    void twin_tick(struct twin *twin, double now);
    int twin_deadline(struct twin *twin, double *when);
    void twin_counters(struct twin *twin, struct engine_counters *sum);
    """,
    *(source.name for room in ROOMS for source in sorted(NATIVE.glob(f"{room}.c"))),
    include=r"""
    #include <stdlib.h>

    #include "icmp.h"
    #include "path.h"

    struct item {
        uint32_t way;
        uint32_t offset;
        uint32_t length;
    };

    /* A call and what followed from the last thing it was told. */
    struct twin {
        struct sink sink;
        struct call call;
        struct cipher_batch batch;
        struct outgoing slots[BATCH];
        uint8_t plain[SLOT_OCTETS];
        uint32_t *peer_has;
        uint32_t arrived;
        uint32_t count;
        uint32_t used;
        struct item items[256];
        uint8_t octets[1 << 18];
    };

    static void put(struct sink *sink, uint32_t way, const uint8_t *octets, size_t length)
    {
        struct twin *twin = (struct twin *)sink;
        if (twin->count == 256 || length > sizeof twin->octets - twin->used)
            abort();
        twin->items[twin->count++] = (struct item){way, twin->used, (uint32_t)length};
        if (length)
            memcpy(twin->octets + twin->used, octets, length);
        twin->used += (uint32_t)length;
    }

    static void put_inside(struct sink *sink, struct call *call, const uint8_t *packet, size_t length, void *owner)
    {
        put(sink, ENGINE_INSIDE, packet, length);
        free(owner);
    }

    static void put_outside(struct sink *sink, struct call *call, const uint8_t *packet, size_t length)
    {
        put(sink, ENGINE_OUTSIDE, packet, length);
    }

    static void put_up(struct sink *sink, struct call *call, const uint8_t *frame, size_t length)
    {
        put(sink, ENGINE_UP, frame, length);
    }

    static void put_lost(struct sink *sink, struct call *call, bool gave_up)
    {
        put(sink, gave_up ? ENGINE_GAVE_UP : ENGINE_LOST_STEP, NULL, 0);
    }

    static void begin(struct twin *twin)
    {
        twin->count = 0;
        twin->used = 0;
    }

    static struct twin *twin_new(uint32_t receive_window, uint32_t first_sequence)
    {
        struct twin *twin = aligned_alloc(_Alignof(struct twin), sizeof *twin);
        if (!twin)
            abort();
        memset(twin, 0, sizeof *twin);
        if (path_begin(&twin->call, receive_window, first_sequence))
            abort();
        twin->sink = (struct sink){put_inside, put_outside, put_up, put_lost};
        twin->peer_has = &twin->call.in.peer_has;
        return twin;
    }

    static void twin_free(struct twin *twin)
    {
        path_end(&twin->call);
        free(twin);
    }

    static void twin_connect(struct twin *twin, uint16_t peer_call_id)
    {
        twin->call.peer_call_id = peer_call_id;
        twin->call.connected = true;
    }

    static int twin_interface_up(struct twin *twin, const struct engine_inside *inside,
                                 const struct engine_prefix *allowed, uint32_t allowed_count)
    {
        return path_interface_up(&twin->call, inside, allowed, allowed_count);
    }

    static void twin_interface_down(struct twin *twin)
    {
        path_interface_down(&twin->call);
    }

    static int twin_encryption_up(struct twin *twin, const struct engine_encryption *send,
                                  const struct engine_encryption *receive)
    {
        return path_encryption_up(&twin->call, send, receive);
    }

    static void twin_encryption_down(struct twin *twin)
    {
        path_encryption_down(&twin->call);
    }

    static void twin_encryption_flush(struct twin *twin)
    {
        if (twin->call.out.encryptor.on)
            encryptor_flush(&twin->call.out.encryptor);
    }

    static void twin_encapsulate(struct twin *twin, const uint8_t *packet, size_t length, double now)
    {
        struct call *call = &twin->call;
        struct fragmenter fragmenter;
        uint8_t answer[ICMP_MOST];
        size_t ready = 0;
        size_t piece;
        begin(twin);
        enum admission verdict = path_admit(call, packet, length);
        if (verdict == OUTWARD_READY) {
            memcpy(twin->slots[0].octets + SLOT_INNER, packet, length);
            ready += path_encapsulate(call, &twin->slots[0], length, &twin->batch, now);
        } else if (verdict == OUTWARD_TOO_BIG && fragment_begin(&fragmenter, packet, length, call->inside.mtu)) {
            while ((piece = fragment_next(&fragmenter, twin->slots[ready].octets + SLOT_INNER, LONGEST_INNER)))
                ready += path_encapsulate(call, &twin->slots[ready], piece, &twin->batch, now);
        } else if (verdict == OUTWARD_TOO_BIG) {
            path_dropped_too_big(call);
            piece = too_big(answer, packet, length, call->inside.mtu);
            if (piece)
                put(&twin->sink, ENGINE_INSIDE, answer, piece);
        }
        lanes_run(&twin->batch);
        for (size_t i = 0; i < ready; i++)
            put_outside(&twin->sink, call, twin->slots[i].octets + twin->slots[i].start, twin->slots[i].length);
    }

    static void twin_encapsulate_frame(struct twin *twin, const uint8_t *frame, size_t length)
    {
        struct outgoing *slot = &twin->slots[0];
        begin(twin);
        if (path_encapsulate_frame(&twin->call, slot, frame, length))
            put_outside(&twin->sink, &twin->call, slot->octets + slot->start, slot->length);
    }

    /* Every other packet is foreseen, as in a batch; what follows must not depend on that. */
    static void twin_decapsulate(struct twin *twin, const uint32_t *sequence, const uint32_t *acknowledgement,
                                 const uint8_t *payload, uint32_t length, double now)
    {
        struct incoming packet = {.call = &twin->call, .foreseen = -1, .plain = twin->plain};
        packet.gre.has_sequence = sequence;
        packet.gre.sequence = sequence ? *sequence : 0;
        packet.gre.has_acknowledgement = acknowledgement;
        packet.gre.acknowledgement = acknowledgement ? *acknowledgement : 0;
        packet.gre.payload = payload;
        packet.gre.length = length;
        begin(twin);
        if (twin->arrived++ % 2) {
            path_foresee(&packet, &twin->batch);
            lanes_run(&twin->batch);
        }
        path_decapsulate(&packet, &twin->sink, now);
    }

    static void twin_tick(struct twin *twin, double now)
    {
        begin(twin);
        path_tick(&twin->call, &twin->sink, now);
    }

    /* 0: none, 1: for what is held, 2: for the acknowledgement. */
    static int twin_deadline(struct twin *twin, double *when)
    {
        const struct window *window = &twin->call.in.window;
        if (!path_deadline(&twin->call, when))
            return 0;
        return window->held && *when == window->gap_since + window->hold ? 1 : 2;
    }

    static void twin_counters(struct twin *twin, struct engine_counters *sum)
    {
        path_counters(&twin->call, sum);
    }
    """,
)
ffi, lib = _PART.ffi, _PART.lib


def counters_of(counted: Any) -> Counters:
    """Return a struct engine_counters as the reference has it."""
    return Counters(**{field.name: getattr(counted, field.name) for field in fields(Counters)})


def _number(number: int | None) -> Any:
    return ffi.NULL if number is None else ffi.new("uint32_t *", number)


def _encryption(encryption: Encryption) -> Any:
    return ffi.new(
        "struct engine_encryption *",
        {
            "start_key": encryption.start_key.ljust(16, b"\0")[:16],
            "key_bits": encryption.key_bits,
            "stateful": encryption.stateful,
        },
    )


def _rate(rate: Rate | None) -> dict[str, int]:
    return {} if rate is None else {"bits_per_second": rate.bits_per_second, "burst_octets": rate.burst_octets}


class NativePath:
    """The packets of one call, by the engine."""

    def __init__(self, *, receive_window: int = WINDOW, first_sequence: int = 0) -> None:
        self._twin = ffi.gc(lib.twin_new(receive_window, first_sequence), lib.twin_free)

    @property
    def counters(self) -> Counters:
        counted = ffi.new("struct engine_counters *")
        lib.twin_counters(self._twin, counted)
        return counters_of(counted)

    @property
    def peer_has(self) -> int:
        """The highest of our numbers that the peer acknowledged."""
        return self._twin.peer_has[0]

    def connect(self, peer_call_id: int) -> None:
        lib.twin_connect(self._twin, peer_call_id)

    def interface_up(self, inside: Inside) -> None:
        prefixes = [(int(address), 32) for address in inside.allowed_ipv4]
        prefixes += [(int(network.network_address), network.prefixlen) for network in inside.routed_ipv4]
        given = ffi.new(
            "struct engine_inside *",
            {
                "mtu": inside.mtu,
                "encryption_required": inside.encryption_required,
                "compress_address_control": inside.compress_address_control,
                "compress_protocol": inside.compress_protocol,
                "clamp_segment_size": inside.clamp_segment_size,
                "has_peer_identifier": inside.peer_identifier is not None,
                "peer_identifier": inside.peer_identifier or bytes(8),
                "rate_in": _rate(inside.rate_in),
                "rate_out": _rate(inside.rate_out),
            },
        )
        assert not lib.twin_interface_up(self._twin, given, ffi.new("struct engine_prefix[]", prefixes), len(prefixes))

    def interface_down(self) -> None:
        lib.twin_interface_down(self._twin)

    def encryption_up(self, send: Encryption, receive: Encryption) -> None:
        assert not lib.twin_encryption_up(self._twin, _encryption(send), _encryption(receive))

    def encryption_down(self) -> None:
        lib.twin_encryption_down(self._twin)

    def encryption_flush(self) -> None:
        lib.twin_encryption_flush(self._twin)

    def encapsulate(self, packet: bytes, now: float) -> list[Item]:
        lib.twin_encapsulate(self._twin, packet, len(packet), now)
        return self._items()

    def encapsulate_frame(self, frame: bytes) -> list[Item]:
        lib.twin_encapsulate_frame(self._twin, frame, len(frame))
        return self._items()

    def decapsulate(self, sequence: int | None, acknowledgement: int | None, payload: bytes, now: float) -> list[Item]:
        numbers = _number(sequence), _number(acknowledgement)
        lib.twin_decapsulate(self._twin, *numbers, payload, len(payload), now)
        return self._items()

    def tick(self, now: float) -> list[Item]:
        lib.twin_tick(self._twin, now)
        return self._items()

    @property
    def deadline(self) -> Deadline | None:
        when = ffi.new("double *")
        reason = lib.twin_deadline(self._twin, when)
        return Deadline(when[0], REASONS[reason]) if reason else None

    def _items(self) -> list[Item]:
        items = [self._twin.items[n] for n in range(self._twin.count)]
        return [(WAYS[i.way], bytes(ffi.buffer(self._twin.octets + i.offset, i.length))) for i in items]
