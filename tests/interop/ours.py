"""Our program as its users run it, in a namespace of the host, told to say all it can; and that it leaves nothing."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.netns import programs
from tests.netns.namespace import Namespace
from tests.netns.programs import PASSWORD, Program, state


@contextlib.contextmanager
def serving(namespace: Namespace, folder: Path, *, auth: Mapping[str, object]) -> Iterator[Program]:
    """Run our server; auth holds what this test allows beyond the defaults."""
    with programs.serving(namespace, folder, auth=auth, log={"level": "debug"}) as server:
        yield server


@contextlib.contextmanager
def connected(
    namespace: Namespace, folder: Path, host: str, *flags: str, password: str = PASSWORD
) -> Iterator[Program]:
    """Run our client, and let the block begin when it has its address."""
    flags = ("--log-level", "debug", *flags)
    with programs.connecting(namespace, folder, *flags, host=host, password=password) as client:
        client.connected()
        yield client


@contextlib.contextmanager
def nothing_left_in(namespace: Namespace) -> Iterator[None]:
    """Check that what happens inside leaves the namespace as it found it."""
    before = state(namespace)
    yield
    assert state(namespace) == before
