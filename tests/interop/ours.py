"""Our program as its users run it: `openpptp serve` and `openpptp connect` in a namespace of the host."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.interop.guest import eventually
from tests.interop.namespaces import OPENPPTP, Namespace, end
from tests.interop.peers import PASSWORD, USER

INTERFACE = "pptp-test"
POOL, OUR_ADDRESS = "10.88.0.0/24", "10.88.0.1"


@dataclass(frozen=True, slots=True)
class Ours:
    """A running program of ours with its log."""

    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def stop(self) -> None:
        """End it as a service manager does."""
        assert end(self.process, signal.SIGTERM) == 0, self.log()

    def ended(self, *, timeout: float = 15.0) -> bool:
        """Wait until it has ended by itself; return whether it has."""
        return eventually(lambda: self.process.poll() is not None, timeout=timeout)


def toml(value: object) -> str:
    """Write a value as TOML, which reads JSON's numbers, strings, booleans and lists."""
    return json.dumps(value)


@contextlib.contextmanager
def serving(namespace: Namespace, folder: Path, *, auth: Mapping[str, object]) -> Iterator[Ours]:
    """Run our server; auth holds what this test allows beyond the defaults."""
    secrets = folder / "chap-secrets"
    secrets.write_text(f'"{USER}" * "{PASSWORD}" *\n')
    secrets.chmod(0o600)
    sections: dict[str, Mapping[str, object]] = {
        "server": {"interface": INTERFACE, "runtime_directory": str(folder / "run")},
        "network": {"pool": [POOL]},
        "auth": auth,
        "users": {"file": str(secrets)},
        "log": {"level": "debug"},
    }
    lines = [
        line
        for name, section in sections.items()
        for line in (f"[{name}]", *(f"{key} = {toml(value)}" for key, value in section.items()))
    ]
    settings = folder / "openpptp.toml"
    settings.write_text("\n".join(lines) + "\n")
    with _running(namespace, folder / "serve.log", "serve", "--config", str(settings)) as server:
        listens = eventually(
            lambda: server.process.poll() is not None or namespace.run("ss", "-Htln", "sport = 1723").stdout,
            timeout=15,
        )
        assert listens, f"our server does not listen:\n{server.log()}"
        assert server.process.poll() is None, f"our server does not serve:\n{server.log()}"
        yield server


@contextlib.contextmanager
def connected(namespace: Namespace, folder: Path, host: str, *flags: str, password: str = PASSWORD) -> Iterator[Ours]:
    """Run our client until its interface has an address."""
    arguments = ("connect", host, "--user", USER, "--interface", INTERFACE, "--log-level", "debug", *flags)
    with _running(namespace, folder / "connect.log", *arguments, password=password) as client:

        def up() -> bool:
            shown = namespace.run("ip", "-4", "address", "show", "dev", INTERFACE, check=False).stdout
            return client.process.poll() is not None or " inet " in shown

        assert eventually(up, timeout=30), f"our client has no address:\n{client.log()}"
        assert client.process.poll() is None, f"our client does not connect:\n{client.log()}"
        yield client


@contextlib.contextmanager
def _running(namespace: Namespace, log_file: Path, *arguments: str, password: str = PASSWORD) -> Iterator[Ours]:
    """Run our program; afterwards it is gone, and its log is told when something failed."""
    with log_file.open("wb") as log:
        process = namespace.start(*OPENPPTP, *arguments, log=log, environment={"OPENPPTP_PASSWORD": password})
    ours = Ours(process, log_file)
    try:
        yield ours
    except BaseException as failure:
        failure.add_note(f"--- openpptp {' '.join(arguments)} said:\n{ours.log()}")
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
