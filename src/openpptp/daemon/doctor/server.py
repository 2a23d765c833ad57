"""The checks of a machine's own server; server_host.py has those that need its settings.

Each judges the facts and touches nothing. They stand in the order in which one rests on the other.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from openpptp.daemon.doctor import server_host
from openpptp.daemon.doctor.facts import Facts, HostFacts
from openpptp.daemon.doctor.report import AS_ROOT, Report, Result, missing, ok, unknown
from openpptp.daemon.service.unit import NAME

ONE_DAY = 86_400.0  # ours: seconds; less is a matter of time zones
OLDEST_PYTHON = (3, 11)
NEEDED = {12: "CAP_NET_ADMIN", 13: "CAP_NET_RAW"}  # linux/capability.h


def examine(facts: Facts) -> Report:
    """Make every check that can be made."""
    results = [result for check in CHECKS for result in check(facts)]
    if isinstance(facts.host, HostFacts):
        results += [result for check in server_host.CHECKS for result in check(facts, facts.host)]
    return Report("this server", results)


def program(facts: Facts) -> Iterator[Result]:
    """Judge Python and the engine."""
    version = ".".join(map(str, facts.python))
    if facts.python < OLDEST_PYTHON:
        yield missing("program", f"Python {version} is too old", "install Python 3.11 or later, then scripts/install")
    elif facts.engine_lacks:
        yield missing("program", f"the engine is not built: {facts.engine_lacks}", "run: sudo scripts/install")
    else:
        yield ok("program", f"Python {version}, the engine is built")


def clock(facts: Facts) -> Iterator[Result]:
    """Judge whether the time of day can be true."""
    when = datetime.fromtimestamp(facts.now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if facts.now < facts.installed_at - ONE_DAY:
        sentence = f"it says {when}, which is before this program was installed: accounting and logs will be wrong"
        yield missing("clock", sentence, "set it, for example with: sudo timedatectl set-ntp true")
    else:
        yield ok("clock", when)


def tun_driver(facts: Facts) -> Iterator[Result]:
    """Judge whether a TUN device can be made."""
    if not facts.tun_lacks:
        yield ok("TUN driver", "/dev/net/tun can be opened")
    elif facts.root:
        yield missing("TUN driver", *facts.tun_lacks.split("; ", 1))
    else:
        yield unknown("TUN driver", facts.tun_lacks, AS_ROOT)


def privileges(facts: Facts) -> Iterator[Result]:
    """Judge whether the server, or whoever starts it, may do what it must."""
    runs, found = isinstance(facts.server, dict), facts.process_is
    if found is None or not (runs or facts.root):
        yield unknown("privileges", "whether a server may change the network is seen by root only", AS_ROOT)
        return
    whose = "the server's process" if runs else "this process"
    lacking = [name for bit, name in NEEDED.items() if not found.capabilities >> bit & 1]
    if lacking:
        remedy = "run it as root; in a container, give it these (docker run --cap-add ...)"
        yield missing("privileges", f"{whose} has no {' and no '.join(lacking)}", remedy)
    else:
        yield ok("privileges", f"{whose} has {' and '.join(NEEDED.values())}")


def settings(facts: Facts) -> Iterator[Result]:
    """Judge the settings file."""
    if isinstance(facts.host, HostFacts):
        yield ok("settings", f"{facts.source.path} is complete")
        return
    first, *more = str(facts.host).splitlines()
    sentence, _, remedy = first.partition("; ")
    if more or not remedy:
        sentence = f"{first}, and {len(more)} more" if more else first
        remedy = f"correct it; all of it is told by: openpptp serve {facts.source.option} {facts.source.path} --check"
    dark = facts.host.exit_code == 3 and not facts.root
    yield unknown("settings", sentence, AS_ROOT) if dark else missing("settings", sentence, remedy)


def server(facts: Facts) -> Iterator[Result]:
    """Judge whether a server runs with these settings, and answers."""
    if isinstance(facts.server, dict):
        found = facts.server
        yield ok("server", f"process {found['process']} answers; {found['sessions']} sessions")
    elif facts.server.exit_code == 3:
        yield unknown("server", str(facts.server), AS_ROOT)
    elif facts.process:
        sentence = f"process {facts.process} runs, but does not answer: {facts.server}"
        yield missing("server", sentence, "restart it, and see its log")
    elif facts.service is None:
        start = f"sudo openpptp serve {facts.source.option} {facts.source.path}"
        yield missing("server", "no server runs with these settings", f"start it: {start}")
    else:
        start = "sudo openpptp service install"
        yield missing("server", "no server runs with these settings", f"start it now and at each boot: {start}")


def service(facts: Facts) -> Iterator[Result]:
    """Judge whether it comes back after a reboot."""
    if facts.service is None:
        yield ok("service", "this machine has no systemd; whether it starts at boot is not known here")
        return
    for what, remedy in facts.service:
        yield missing("service", what, remedy)
    if not facts.service:
        yield ok("service", f"{NAME} is installed, enabled and runs")


def helper(facts: Facts) -> Iterator[Result]:
    """Say whether the connection tracking helper is there; our own clients do without."""
    if facts.helper:
        yield ok("PPTP helper", "nf_conntrack_pptp is loaded, for clients behind this machine that call other servers")
    else:
        sentence = "not loaded; only clients behind this machine that call other servers need it (modprobe nf_nat_pptp)"
        yield ok("PPTP helper", sentence)


CHECKS: tuple[Callable[[Facts], Iterator[Result]], ...] = (
    *(program, clock, tun_driver, privileges, settings, server, service, helper),
)
