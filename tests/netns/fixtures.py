"""Fixtures for tests with real packets; a conftest.py imports them: `from tests.netns.fixtures import *`.

A test that uses one carries the marker root, is skipped saying why where this is not root, and leaves nothing behind.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.machine import need_programs, need_root
from tests.netns.house import House, house
from tests.netns.namespace import Namespace, ours, sweep
from tests.netns.topology import Topology

__all__ = ["folder", "home", "make_namespace", "make_topology", "namespace", "namespaces_possible", "topology"]


@pytest.fixture(scope="session")
def namespaces_possible() -> Iterator[None]:
    need_root()
    need_programs("ip", "nft", "ping")
    sweep()
    before = ours()  # the guest's of tests/interop live as long as the session
    yield
    assert ours() == before, "a test left namespaces behind"


@pytest.fixture
def make_namespace(namespaces_possible: None) -> Iterator[Callable[[str], Namespace]]:
    """Return a function that makes an empty namespace."""
    made: list[Namespace] = []

    def make(label: str) -> Namespace:
        made.append(Namespace(label))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def namespace(make_namespace: Callable[[str], Namespace]) -> Namespace:
    """Return one empty namespace."""
    return make_namespace("alone")


@pytest.fixture
def make_topology(namespaces_possible: None) -> Iterator[Callable[..., Topology]]:
    """Return a function that builds a Topology; it takes the same arguments."""
    made: list[Topology] = []

    def make(**options) -> Topology:
        made.append(Topology(**options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def topology(make_topology: Callable[..., Topology]) -> Topology:
    """Return world, server, NAT box with the pptp helper, and one client."""
    return make_topology()


@pytest.fixture(scope="class")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("house")


@pytest.fixture(scope="class")
def home(request: pytest.FixtureRequest, namespaces_possible: None, folder: Path) -> Iterator[House]:
    """Return a server with the settings of the test class, SETTINGS, that has been in use."""
    with house(folder / "home", **request.cls.SETTINGS) as home:
        home.canary()
        yield home
