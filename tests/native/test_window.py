"""The tests of datapath/window.py against native/window.c."""

from tests.datapath import test_window as reference
from tests.native.parts import part
from tests.native.paths import COUNTERS, NativePath, counters_of

from openpptp.datapath.seam import Counters
from openpptp.datapath.window import WINDOW, Place
from openpptp.machine import Deadline
from openpptp.wire import gre

PLACES = (Place.AHEAD, Place.RESYNCHRONISED, Place.DUPLICATE, Place.LATE, Place.FAR)
"In the order of window.h."

_PART = part(
    f"""
    {COUNTERS}
    struct window {{ bool begun; uint32_t highest; uint32_t held; double hold; double gap_since; ...; }};
    struct twin {{ struct window window; struct engine_counters counters; int count; uintptr_t released[...]; ...; }};
    struct twin *twin_new(uint32_t size);
    void twin_free(struct twin *twin);
    int twin_place(struct twin *twin, uint32_t sequence, double now);
    void twin_accept(struct twin *twin, uint32_t sequence, uintptr_t item, double now);
    void twin_expire(struct twin *twin, double now);
    bool twin_acknowledgement(struct twin *twin, uint32_t *number);
    bool twin_acknowledgement_due(struct twin *twin, double now);
    bool twin_deadline(struct twin *twin, double *when);
    """,
    "window.c",
    include=r"""
    #include <stdlib.h>

    #include "window.h"

    struct twin {
        struct window window;
        struct acknowledgement owed;
        struct engine_counters counters;
        int count;
        uintptr_t released[64];
    };

    static void release(void *context, void *item)
    {
        struct twin *twin = context;
        if (twin->count == 64)
            abort();
        twin->released[twin->count++] = (uintptr_t)item;
    }

    static struct twin *twin_new(uint32_t size)
    {
        struct twin *twin = calloc(1, sizeof *twin);
        if (!twin)
            abort();
        window_begin(&twin->window);
        acknowledgement_begin(&twin->owed, size);
        return twin;
    }

    static void twin_free(struct twin *twin)
    {
        twin->count = 0;
        window_end(&twin->window, release, twin);
        free(twin);
    }

    static int twin_place(struct twin *twin, uint32_t sequence, double now)
    {
        return window_place(&twin->window, sequence, now, &twin->counters);
    }

    static void twin_accept(struct twin *twin, uint32_t sequence, uintptr_t item, double now)
    {
        twin->count = 0;
        if (window_is_next(&twin->window, sequence)) {
            window_pass(&twin->window, &twin->owed, sequence, now);
            release(twin, (void *)item);
        } else if (!window_accept(&twin->window, &twin->owed, sequence, (void *)item, now, &twin->counters, release,
                                  twin)) {
            abort();
        }
    }

    static void twin_expire(struct twin *twin, double now)
    {
        twin->count = 0;
        window_expire(&twin->window, now, &twin->counters, release, twin);
    }

    static bool twin_acknowledgement(struct twin *twin, uint32_t *number)
    {
        return acknowledgement_take(&twin->owed, number);
    }

    static bool twin_acknowledgement_due(struct twin *twin, double now)
    {
        return acknowledgement_due(&twin->owed, now);
    }

    static bool twin_deadline(struct twin *twin, double *when)
    {
        return window_deadline(&twin->window, &twin->owed, when);
    }
    """,
)
ffi, lib = _PART.ffi, _PART.lib


class NativeWindow:
    """The engine's window with the interface of ReceiveWindow."""

    def __init__(self, size: int) -> None:
        self._twin = ffi.gc(lib.twin_new(size), lib.twin_free)

    @property
    def counters(self) -> Counters:
        return counters_of(self._twin.counters)

    @property
    def highest(self) -> int | None:
        return self._twin.window.highest if self._twin.window.begun else None

    def place(self, sequence: int, now: float) -> Place:
        return PLACES[lib.twin_place(self._twin, sequence, now)]

    def accept(self, sequence: int, item: int, now: float) -> list[int]:
        lib.twin_accept(self._twin, sequence, item, now)
        return self._released()

    def expire(self, now: float) -> list[int]:
        lib.twin_expire(self._twin, now)
        return self._released()

    def acknowledgement(self) -> int | None:
        number = ffi.new("uint32_t *")
        return number[0] if lib.twin_acknowledgement(self._twin, number) else None

    def acknowledgement_due(self, now: float) -> bool:
        return lib.twin_acknowledgement_due(self._twin, now)

    @property
    def deadline(self) -> Deadline | None:
        when = ffi.new("double *")
        if not lib.twin_deadline(self._twin, when):
            return None
        window = self._twin.window
        is_held = window.held and when[0] == window.gap_since + window.hold
        return Deadline(when[0], "held packets" if is_held else "owed acknowledgement")

    def _released(self) -> list[int]:
        return list(self._twin.released[0 : self._twin.count])


class NativeSender:
    """A path of the engine with the interface of SendWindow."""

    def __init__(self, first: int) -> None:
        self._path = NativePath(first_sequence=first)
        self._path.connect(0)
        self._next = first

    def number(self) -> int | None:
        [(_, packet)] = self._path.encapsulate_frame(b"\xc0\x21")
        sequence = gre.decode(packet)[1]
        assert sequence is not None
        self._next = gre.serial_add(sequence)
        return sequence

    def acknowledged(self, number: int) -> bool:
        self._path.decapsulate(None, number, b"", 0.0)
        return self._path.peer_has == number

    @property
    def unacknowledged(self) -> int:
        return gre.serial_distance(self._next, self._path.peer_has) - 1


class Subject:
    def window(self, size: int = WINDOW) -> NativeWindow:
        return NativeWindow(size)

    def sender(self, first: int = 0) -> NativeSender:
        return NativeSender(first)


class OrderTests(Subject, reference.OrderTests):
    pass


class AcknowledgementTests(Subject, reference.AcknowledgementTests):
    pass


class SendingTests(Subject, reference.SendingTests):
    pass
