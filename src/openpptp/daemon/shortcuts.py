"""Lets the engine exchange Ethernet frames with peers, beside the IP stack, wherever that makes no difference."""

import contextlib
from ipaddress import IPv4Address

import structlog
from structlog.typing import FilteringBoundLogger

from openpptp.errors import SetupError
from openpptp.net.engine import Engine
from openpptp.net.ethernet import EthernetRoute, EthernetRoutes


class Shortcuts:
    """Keeps the engine's Ethernet routes and packet rings as the host's routes and neighbours are."""

    def __init__(self, engine: Engine, *, wanted: bool, log: FilteringBoundLogger) -> None:
        """Begin without peers; wanted: warn where there is no shortcut, since they were asked for."""
        self._engine = engine
        self._log = log
        self._say = log.warning if wanted else log.debug
        self._rings: set[int] = set()
        self._refused: set[int] = set()
        self._told = False
        self._routes = EthernetRoutes(self._route_changed, self._devices_changed)

    def watch(self, peer: int, local: int) -> None:
        """Use a shortcut to the peer of an open call."""
        self._routes.watch(peer, local)

    def forget(self, peer: int, local: int) -> None:
        """One call of this peer is closed."""
        self._routes.forget(peer, local)

    def close(self) -> None:
        """Change nothing any more; the engine may be closed afterwards."""
        self._routes.close()

    # In the thread of the routes.

    def _route_changed(self, peer: int, local: int, route: EthernetRoute | None) -> None:
        with contextlib.suppress(FileNotFoundError):  # its last call was closed meanwhile
            if route is None:
                self._engine.forget_route(peer, local)
            else:
                self._engine.set_route(peer, local, route.interface_index, route.header, route.mtu)
                self._log.debug("GRE goes beside the IP stack", peer=str(IPv4Address(peer)), mtu=route.mtu)
        if route is None and not self._told:
            self._told = True
            self._say("no plain Ethernet route to a peer; through the raw socket then", peer=str(IPv4Address(peer)))

    def _devices_changed(self, devices: frozenset[int]) -> None:
        for device in self._rings - devices:
            self._engine.close_ring(device)
        self._rings &= devices
        for device in devices - self._rings - self._refused:
            try:
                self._engine.open_ring(device)
            except OSError as error:
                self._refused.add(device)
                self._say("no packet ring at a device", interface_index=device, error=str(error))
            else:
                self._rings.add(device)


def open_shortcuts(engine: Engine, *, wanted: bool, log: FilteringBoundLogger | None = None) -> Shortcuts | None:
    """Return them; None where the host gives none and they are not wanted, else raises SetupError."""
    log = structlog.get_logger() if log is None else log
    try:
        return Shortcuts(engine, wanted=wanted, log=log)
    except SetupError as error:
        if wanted:
            raise
        log.debug("no shortcuts beside the IP stack", reason=str(error))
        return None
