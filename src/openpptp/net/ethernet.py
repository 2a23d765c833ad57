"""Which peers can be sent Ethernet frames beside the IP stack, watched by netlink.

What the IP stack would decide for each packet is looked up here beforehand: route, neighbour, MTU. Wherever it could
decide by anything else (IPsec policies, rules by mark, user or protocol, encapsulation, several paths), there is no
Ethernet route and packets go through the raw socket. Addresses are IPv4 numbers, as in the engine.
"""

import contextlib
import os
import selectors
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from openpptp.errors import SetupError
from openpptp.net.surroundings import Pair, Place, Surroundings, Way

ETHERNET_IPV4 = b"\x08\x00"

DEBOUNCE = 0.05  # ours: seconds; what changes at once is looked at once
LOOK_AGAIN = 30.0  # ours: seconds; for what no news tell (a path's MTU that the kernel learned)
LEISURE = 10  # ours: looking at all routes takes at most a tenth of the time


class EthernetRoute(NamedTuple):
    """How a frame reaches a peer."""

    interface_index: int
    header: bytes
    "Destination, source, type."
    mtu: int


class EthernetRoutes:
    """Tell for each watched pair of peer and our address by which frames the peer is reached, if it is.

    Both callbacks are called in a thread of this object.
    """

    def __init__(
        self,
        changed: Callable[[int, int, EthernetRoute | None], None],
        devices_changed: Callable[[frozenset[int]], None] = lambda _: None,
    ) -> None:
        """Begin with nothing watched.

        changed gets peer, our address and the route, None when there is none: once after watch(), then on each change.
        devices_changed gets the indexes of the Ethernet devices that lead to watched peers: those rings are for.
        Raises SetupError when the system does not tell us its routes.
        """
        self._changed, self._devices_changed = changed, devices_changed
        self._lock = threading.Lock()
        self._wanted: Counter[Pair] = Counter()
        self._begun: set[Pair] = set()
        self._ended: set[Pair] = set()
        self._closed = False
        self._plain = False
        self._ways: dict[Pair, Way | None] = {}
        self._through: defaultdict[Place, set[Pair]] = defaultdict(set)
        self._told: dict[Pair, EthernetRoute | None] = {}
        self._devices: frozenset[int] = frozenset()
        try:
            self._surroundings = Surroundings()
        except OSError as error:
            raise SetupError(f"cannot watch the host's routes: {error.strerror}") from error
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="routes", daemon=True)
        self._thread.start()

    def watch(self, peer: int, local: int) -> None:
        """Begin to tell about this pair; as often as it is watched it has to be forgotten."""
        self._order((peer, local), 1)

    def forget(self, peer: int, local: int) -> None:
        """Tell no more about this pair; what is being told just now may still arrive."""
        self._order((peer, local), -1)

    def close(self) -> None:
        """Stop; nothing more is told, not even that the routes end. Not for the callbacks."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)

    def _order(self, pair: Pair, step: int) -> None:
        with self._lock:
            if self._closed:
                return
            self._wanted[pair] += step
            if self._wanted[pair] <= 0:
                del self._wanted[pair]
                self._ended.add(pair)
                self._begun.discard(pair)
            elif self._wanted[pair] == step:
                self._begun.add(pair)
            else:
                return
            os.eventfd_write(self._wake, 1)

    # The rest is the thread's.

    def _run(self) -> None:
        try:
            with contextlib.closing(self._surroundings), selectors.DefaultSelector() as selector:
                selector.register(self._wake, selectors.EVENT_READ)
                for news in self._surroundings.news:
                    selector.register(news, selectors.EVENT_READ)
                self._serve(selector)
        finally:
            # Should this thread fail, a route that nobody watches any more would lead into nothing one day.
            for pair in [] if self._closed else [*self._told]:
                with contextlib.suppress(Exception):  # the callback may be what failed
                    self._tell(pair, None)

    def _serve(self, selector: selectors.BaseSelector) -> None:
        self._surroundings.learn()
        self._plain = self._surroundings.is_plain()
        look_again, leisure = time.monotonic() + LOOK_AGAIN, 0.0
        while True:
            ready = selector.select(max(0.0, look_again - time.monotonic()))
            if self._closed:
                return
            self._take_orders()
            if any(key.fileobj != self._wake for key, _ in ready):
                time.sleep(DEBOUNCE)
                if self._take_news():
                    look_again = min(look_again, leisure)
            began = time.monotonic()
            if began >= look_again:
                self._plain = self._surroundings.is_plain()
                self._look_up([*self._ways])
                finished = time.monotonic()
                look_again, leisure = finished + LOOK_AGAIN, finished + LEISURE * (finished - began)

    def _take_orders(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        with self._lock:
            begun, self._begun = self._begun, set()
            ended, self._ended = self._ended, set()
        for pair in ended:
            # Also when it has begun anew: it is told anew.
            self._set_way(pair, None)
            self._ways.pop(pair, None)
            self._told.pop(pair, None)
        if begun or ended:
            self._look_up([*begun])

    def _take_news(self) -> bool:
        """Tell what links and neighbours alone decide; return whether routes have to be looked up again."""
        news = self._surroundings.take_news()
        places = news.places & self._through.keys()
        places |= {place for place in self._through if place[0] in news.interfaces}
        self._tell_all(pair for place in places for pair in self._through[place])
        self._refresh(places)
        return news.routes

    def _look_up(self, pairs: list[Pair]) -> None:
        for pair, way in zip(pairs, self._surroundings.ways(pairs), strict=True):
            self._set_way(pair, way)
        self._tell_all(pairs)
        self._refresh({way.place for way in map(self._ways.get, pairs) if way is not None})
        self._tell_devices()

    def _set_way(self, pair: Pair, way: Way | None) -> None:
        before = self._ways.get(pair)
        self._ways[pair] = way
        if before is not None and (way is None or way.place != before.place):
            self._through[before.place].discard(pair)
            if not self._through[before.place]:
                del self._through[before.place]
        if way is not None:
            self._through[way.place].add(pair)

    def _refresh(self, places: Iterable[Place]) -> None:
        for place in places:
            self._surroundings.refresh(place)

    def _tell_all(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            self._tell(pair, self._route(self._ways[pair]))

    def _tell(self, pair: Pair, route: EthernetRoute | None) -> None:
        if pair not in self._told or self._told[pair] != route:
            self._told[pair] = route
            self._changed(*pair, route)

    def _tell_devices(self) -> None:
        devices = frozenset(index for index, _ in self._through if index in self._surroundings.links)
        if not self._plain:
            devices = frozenset()
        if devices != self._devices:
            self._devices = devices
            self._devices_changed(devices)

    def _route(self, way: Way | None) -> EthernetRoute | None:
        if way is None or not self._plain:
            return None
        link = self._surroundings.links.get(way.place[0])
        neighbour = self._surroundings.neighbours.get(way.place)
        if link is None or neighbour is None:
            return None
        header = neighbour.address + link.address + ETHERNET_IPV4
        return EthernetRoute(way.place[0], header, min(link.mtu, way.mtu) if way.mtu else link.mtu)
