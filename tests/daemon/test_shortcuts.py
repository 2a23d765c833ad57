"""Routes and rings, as they are told by netlink, in an engine that writes down what it is asked."""

import pytest

from openpptp.daemon import shortcuts as module
from openpptp.daemon.shortcuts import open_shortcuts
from openpptp.errors import SetupError
from openpptp.net.ethernet import EthernetRoute

PEER, LOCAL = 0xC0000201, 0xC0000202
ROUTE = EthernetRoute(3, bytes(14), 1500)


class AskedEngine:
    def __init__(self) -> None:
        self.did: list[tuple[object, ...]] = []
        self.refuses: set[int] = set()
        self.is_open = True

    def set_route(self, *arguments) -> None:
        if not self.is_open:
            raise FileNotFoundError
        self.did.append(("route", *arguments))

    def forget_route(self, *arguments) -> None:
        self.did.append(("no route", *arguments))

    def open_ring(self, device: int) -> None:
        self.did.append(("ring", device))
        if device in self.refuses:
            raise OSError(28, "No space left on device")

    def close_ring(self, device: int) -> None:
        self.did.append(("no ring", device))


class ToldRoutes:
    """Plays EthernetRoutes."""

    def __init__(self, changed, devices_changed) -> None:
        self.changed, self.devices_changed = changed, devices_changed


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr(module, "EthernetRoutes", ToldRoutes)
    return AskedEngine()


def told(engine, *, wanted: bool = False) -> ToldRoutes:
    return open_shortcuts(engine, wanted=wanted)._routes


class RoutesTests:
    """How a peer is reached."""

    def test_a_route_that_comes_is_set_and_one_that_goes_is_forgotten(self, engine):
        routes = told(engine)
        routes.changed(PEER, LOCAL, ROUTE)
        routes.changed(PEER, LOCAL, None)
        assert engine.did == [("route", PEER, LOCAL, 3, bytes(14), 1500), ("no route", PEER, LOCAL)]

    def test_what_is_told_after_the_last_call_is_for_nobody(self, engine):
        engine.is_open = False
        told(engine).changed(PEER, LOCAL, ROUTE)
        assert engine.did == []

    @pytest.mark.parametrize(("wanted", "lines"), [(True, 1), (False, 0)])
    def test_who_asked_for_rings_is_warned_once_of_a_peer_without(self, engine, capsys, wanted, lines):
        routes = told(engine, wanted=wanted)
        for number in range(3):
            routes.changed(PEER + number, LOCAL, None)
        said = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
        assert len(said) == lines
        assert all("192.0.2.1" in line for line in said)


class RingsTests:
    """A ring for each device that leads to peers."""

    def test_rings_come_and_go_with_the_devices(self, engine):
        routes = told(engine)
        routes.devices_changed(frozenset({3}))
        routes.devices_changed(frozenset({3, 4}))
        routes.devices_changed(frozenset({4}))
        assert engine.did == [("ring", 3), ("ring", 4), ("no ring", 3)]

    def test_a_device_that_refuses_is_asked_once(self, engine, capsys):
        engine.refuses = {3}
        routes = told(engine, wanted=True)
        for _ in range(3):
            routes.devices_changed(frozenset({3}))
        routes.devices_changed(frozenset())
        assert engine.did == [("ring", 3)]
        assert capsys.readouterr().out.count("No space left") == 1


class NoneTests:
    """A host without netlink for us."""

    def test_it_matters_only_to_who_asked(self, engine, monkeypatch):
        def refuse(*_):
            raise SetupError("cannot watch routes")

        monkeypatch.setattr(module, "EthernetRoutes", refuse)
        assert open_shortcuts(engine, wanted=False) is None
        with pytest.raises(SetupError, match="cannot watch routes"):
            open_shortcuts(engine, wanted=True)
