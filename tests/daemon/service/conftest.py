"""A machine to install on, settings to install, and how it is done."""

import socket

import pytest
from tests.daemon.service.fake_systemctl import FakeMachine

from openpptp.daemon.service import install as installing
from openpptp.daemon.service import remove as removing
from openpptp.daemon.service.source import Source


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def fake(tmp_path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


@pytest.fixture
def source(tmp_path) -> Source:
    etc = tmp_path / "etc" / "openpptp"
    etc.mkdir(parents=True)
    (etc / "chap-secrets").write_text("user * secret *\n")
    (etc / "chap-secrets").chmod(0o600)
    (etc / "openpptp.toml").write_text(
        f'[server]\nport = {free_port()}\nruntime_directory = "{tmp_path}/run/openpptp"\n'
        f'[network]\npool = ["10.9.0.0/24"]\n[users]\nfile = "{etc}/chap-secrets"\n'
        f'[accounting]\nfile = "{tmp_path}/lib/openpptp/accounting.sqlite"\n'
    )
    return Source(etc / "openpptp.toml")


@pytest.fixture
def install(fake, source):
    """Return a function that installs, and returns what it reported."""

    def install(*, start: bool = True, **sections) -> list[str]:
        settings = source.load()
        for section, values in sections.items():
            part = getattr(settings, section).model_copy(update=values)
            settings = settings.model_copy(update={section: part})
        said: list[str] = []
        installing.install(fake.machine, source, settings, start=start, report=said.append)
        return said

    return install


@pytest.fixture
def remove(fake, source):
    """Return a function that removes, and returns what it reported and what stays."""

    def remove() -> tuple[list[str], list[str]]:
        said: list[str] = []
        return said, removing.remove(fake.machine, source, report=said.append)

    return remove
