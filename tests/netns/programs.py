"""`openpptp serve` and `openpptp connect` as processes in namespaces, as their users run them.

    with serving(topology.server, tmp_path) as server, connecting(topology.client, tmp_path, ...) as client:
        client.connected()

Each sees a /run of its own below tmp_path. Every wait is a poll with a bound.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.eventually import eventually
from tests.machine import REPOSITORY
from tests.netns.namespace import Namespace
from tests.netns.topology import Topology

from openpptp.daemon.mistakes import toml_value

OPENPPTP = (sys.executable, "-m", "openpptp")
USER, PASSWORD = "alice", "correct horse"
POOL, OUR_ADDRESS = "10.91.9.0/24", "10.91.9.1"
WORLD_NETWORK = "198.51.100.0/24"
SERVER_DEVICE, CLIENT_DEVICE = "pptp0", "pptp-client"


@dataclass(slots=True)
class Program:
    """A running program of ours with what it has said."""

    process: subprocess.Popen
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def says(self, *words: str, times: int = 1, seconds: float = 20.0) -> None:
        """Wait until each of the words stands in the log so often."""

        def said() -> bool:
            log = self.log()
            return all(log.count(word) >= times for word in words)

        eventually(lambda: said() or self.process.poll() is not None, seconds=seconds)
        assert said(), f"{words} is not in:\n{self.log()}"

    def connected(self) -> None:
        """Wait until a client has its address and routes."""
        self.says("] connected ", " mtu=")

    def exit_code(self, *, seconds: float = 20.0) -> int:
        """Wait until it has ended by itself and return its exit code."""
        assert eventually(lambda: self.process.poll() is not None, seconds=seconds), f"it goes on:\n{self.log()}"
        return self.process.returncode

    def stop(self, *, seconds: float = 5.0) -> int:
        """End it as a service manager does; return its exit code."""
        self.process.terminate()
        return self.exit_code(seconds=seconds)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


def start(
    namespace: Namespace, folder: Path, *command: str, name: str = "program", before: str = "", **environment: str
) -> Program:
    """Start a command with a log and a /run of its own; before is shell to run first, in its own mount namespace."""
    run = folder / "run"
    run.mkdir(exist_ok=True)
    log_file = folder / f"{name}.log"
    log_file.unlink(missing_ok=True)
    # `ip netns exec` has unshared the mounts already: what is mounted here is seen by this program only.
    shell = f'mount --bind "$0" /run; {before} exec "$@"'
    with log_file.open("ab") as log:
        process = namespace.start(
            *("sh", "-c", shell, str(run), *command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ
            | {"PYTHONPATH": str(REPOSITORY / "src"), "PYTHONUNBUFFERED": "1", "OPENPPTP_PASSWORD": PASSWORD}
            | environment,
        )
    return Program(process, log_file)


def write_settings(folder: Path, **sections: Mapping[str, object]) -> Path:
    """Write a settings file, with the defaults but for these, and its users; return its path."""
    secrets = folder / "chap-secrets"
    secrets.write_text(f'"{USER}" * "{PASSWORD}" *\n"bob" * "bobs" *\n')
    secrets.chmod(0o600)
    whole: dict[str, Mapping[str, object]] = {
        "network": {"pool": [POOL]},
        "users": {"file": str(secrets), "store": str(folder / "users.sqlite")},
        "accounting": {"file": str(folder / "accounting.sqlite")},
    }
    for section, values in sections.items():
        whole[section] = {**whole.get(section, {}), **values}
    lines = []
    for section, values in whole.items():
        lines += [f"[{section}]", *(f"{key} = {toml_value(value)}" for key, value in values.items())]
    path = folder / "openpptp.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def start_server(
    namespace: Namespace, folder: Path, *, name: str = "server", before: str = "", **sections: Mapping[str, object]
) -> Program:
    """Start a server and do not wait for it; its log begins anew, its /run stays."""
    folder.mkdir(exist_ok=True)
    command = (*OPENPPTP, "serve", "--config", str(write_settings(folder, **sections)))
    return start(namespace, folder, *command, name=name, before=before)


def start_client(
    namespace: Namespace,
    folder: Path,
    *flags: str,
    host: str = str(Topology.SERVER),
    user: str = USER,
    password: str = PASSWORD,
    name: str = "client",
    once: bool = True,
    before: str = "",
) -> Program:
    """Start a client and do not wait for it; its log begins anew, its /run stays. Without once it connects again."""
    folder.mkdir(exist_ok=True)
    command = (*OPENPPTP, "connect", *host.split(), "--user", user, *(("--once",) if once else ()), *flags)
    return start(namespace, folder, *command, name=name, before=before, OPENPPTP_PASSWORD=password)


def command(runtime_directory: Path, *words: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command of ours on the server with this runtime directory, as it is seen from outside."""
    config = runtime_directory.parent / "steer.toml"
    config.write_text(f'[server]\nruntime_directory = "{runtime_directory}"\n')
    return subprocess.run(
        [*prefix, *OPENPPTP, *words, "--config", str(config)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def serving(namespace: Namespace, folder: Path, **sections: Mapping[str, object]) -> Iterator[Program]:
    """Run a server for as long as the block lasts; a failing test shows what it said."""
    server = start_server(namespace, folder, **sections)
    with _ending(server, "server"):
        server.says("serving")
        yield server


@contextlib.contextmanager
def connecting(namespace: Namespace, folder: Path, *flags: str, **how: Any) -> Iterator[Program]:
    """Run a client for as long as the block lasts; a failing test shows what it said."""
    client = start_client(namespace, folder, *flags, **how)
    with _ending(client, "client"):
        yield client


@contextlib.contextmanager
def _ending(program: Program, name: str) -> Iterator[None]:
    try:
        yield
    except BaseException as failure:
        failure.add_note(f"--- the {name} said:\n{program.log()}")
        raise
    finally:
        if program.process.poll() is None:
            program.process.terminate()
            if not eventually(lambda: program.process.poll() is not None, seconds=10):
                program.kill()


def state(namespace: Namespace) -> dict[str, str]:
    """Return all that a program of ours could leave behind in a namespace."""
    commands = {
        "devices": "ip -br link",
        "addresses": "ip -br -4 addr",
        "routes": "ip -4 route show table all",
        "rules": "ip rule",
        "firewall": "nft list ruleset",
        "raw sockets": "cat /proc/net/raw",
        "listening": "ss -Htuln",
    }
    found = {what: namespace.run(*command.split()).stdout for what, command in commands.items()}
    switches = ("forwarding", "rp_filter", "accept_redirects", "send_redirects")
    for switch in ("net/ipv4/ip_forward", *(f"net/ipv4/conf/all/{each}" for each in switches)):
        found[switch] = namespace.sysctl(switch)
    return found


@contextlib.contextmanager
def capturing(namespace: Namespace, device: str, file: Path, *expression: str) -> Iterator[None]:
    """Record what passes a device, or what of it an expression of tcpdump picks; the file is complete afterwards."""
    with (file.parent / f"{file.name}.log").open("w+") as said:
        command = ("tcpdump", "-i", device, "-n", "-U", "-B", "32768", "-Z", "root", "-w", str(file), *expression)
        process = namespace.start(*command, stdout=said, stderr=said)
        try:
            assert eventually(lambda: "listening on" in Path(said.name).read_text())
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)


class Counter:
    """Counts packets that arrive in a namespace and match a rule of nft; drops them if told to."""

    def __init__(self, namespace: Namespace, rule: str, *, name: str = "watch", verdict: str = "") -> None:
        self._namespace, self._name = namespace, name
        namespace.nft(
            f"table inet {name} {{\n counter seen {{}}\n chain arriving {{\n"
            f" type filter hook prerouting priority -300;\n {rule} counter name seen {verdict}\n }}\n}}\n"
        )

    @property
    def count(self) -> int:
        listed = self._namespace.run("nft", "list", "counter", "inet", self._name, "seen").stdout
        return int(listed.split("packets ")[1].split()[0])

    @property
    def octets(self) -> int:
        """IP headers included."""
        listed = self._namespace.run("nft", "list", "counter", "inet", self._name, "seen").stdout
        return int(listed.split("bytes ")[1].split()[0])

    def remove(self) -> None:
        self._namespace.nft(f"delete table inet {self._name}\n")
