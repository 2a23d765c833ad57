"""The checks of a server that need its settings: its users, its port, and all it changes on its host."""

from collections.abc import Callable, Iterator

from openpptp.daemon.doctor.facts import Facts, HostFacts, Unseen
from openpptp.daemon.doctor.report import AS_ROOT, Result, missing, ok, overridden, unknown
from openpptp.daemon.host_piece import Condition
from openpptp.daemon.server_user import command_for
from openpptp.errors import SetupError

LITTLE_ROOM = 64 << 20  # ours: octets; months of accounting of a small site
STRICT = 1  # rp_filter in Documentation/networking/ip-sysctl.rst
WORDS = {0: "off", STRICT: "strict; the way to clients leads where they come from", 2: "loose"}


def users(facts: Facts, host: HostFacts) -> Iterator[Result]:
    """Judge whether somebody can log in."""
    found, make = host.users, "make one with: sudo openpptp user add NAME --generate"
    if isinstance(found, SetupError):
        yield _failed(facts, "users", found, make)
        return
    where = " and ".join(map(str, found.places))
    if found.problems:
        more = f", and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
        yield missing("users", f"{found.problems[0]}{more}", "correct it; the others can log in")
    elif found.unread:
        yield ok("users", f"in {where}; the store is counted when a server runs")
    elif not found.count:
        yield missing("users", f"there are none in {where}", make)
    else:
        yield ok("users", f"{found.count} in {where}")


def own_user(facts: Facts, host: HostFacts) -> Iterator[Result]:
    """Judge whether the server has given up being root."""
    wanted = host.settings.server.user
    if not isinstance(facts.server, dict) or facts.process_is is None or wanted == "root":
        return
    if facts.process_is.user == "root":
        sentence = f"the server stays root: it found no user {wanted} of this machine when it started"
        yield missing("own user", sentence, f"sudo {' '.join(command_for(wanted))}, then restart the server")
    else:
        yield ok("own user", f"the server runs as {facts.process_is.user}")


def leftovers(facts: Facts, host: HostFacts) -> Iterator[Result]:
    """Judge whether a server that was killed left something."""
    run = host.settings.server.runtime_directory
    if facts.process:
        return
    if host.runtime.changes:
        sentence = f"a server that was killed left {host.runtime.changes} changes of this host, noted in {run}"
        yield missing("left over", sentence, "the next start takes them back, as does: sudo openpptp service remove")
    else:
        yield ok("left over", f"nothing is noted in {run}")


def port(facts: Facts, host: HostFacts) -> Iterator[Result]:
    """Judge who has the port of the control connection."""
    name, ours = f"TCP port {host.settings.server.port}", facts.process
    others = [each for each in host.listeners if each.process is not None and each.process != ours]
    if others:
        who = " and ".join(f"{each.program} (process {each.process})" for each in others)
        end = f"stop process {others[0].process}, or choose another server.port"
        if others[0].program == "pptpd":
            end = "stop it: sudo systemctl disable --now pptpd.service"
        yield overridden(name, f"{who} has it", end)
    elif host.listeners and not ours:
        yield unknown(name, "a program of another user has it", AS_ROOT)
    elif host.listeners:
        yield ok(name, f"process {ours} listens")
    elif ours:
        yield missing(name, f"process {ours} does not listen on it", "restart the server: its settings were others")
    else:
        yield unknown(name, "nobody listens, since no server runs")


def gre(facts: Facts, host: HostFacts) -> Iterator[Result]:
    """Judge whether anybody takes GRE."""
    if host.gre_sockets:
        yield ok("GRE", f"{host.gre_sockets} raw sockets take IP protocol 47")
    elif facts.process:
        yield missing("GRE", "no raw socket takes IP protocol 47", "restart the server, and see its log")
    else:
        yield unknown("GRE", "no raw socket takes IP protocol 47, since no server runs")


def pieces(facts: Facts, host: HostFacts) -> Iterator[Result]:
    """Judge what the server makes at its start, and what firewalls of others do to it."""
    for each in host.pieces:
        match each:
            case Unseen():
                yield _failed(facts, each.piece, each.why, "see the log of the server")
            case Condition(state="present"):
                yield ok(each.piece, each.sentence)
            case Condition(state="missing") if not facts.process:
                yield unknown(each.piece, f"{each.sentence}, since no server runs")
            case Condition(state="missing"):
                yield missing(each.piece, each.sentence, each.remedy)
            case Condition(remedy=""):  # it says what it could not see
                yield unknown(each.piece, each.sentence, "" if facts.root else AS_ROOT)
            case Condition():
                yield overridden(each.piece, each.sentence, each.remedy)


def reverse_path(_facts: Facts, host: HostFacts) -> Iterator[Result]:
    """Judge whether the kernel's reverse path filter lets clients' packets in."""
    device = host.settings.server.interface
    level = max(host.reverse_path.get("all", 0), host.reverse_path.get(device, 0))
    astray = any(
        isinstance(each, Condition) and (each.piece, each.state) == ("routes", "overridden") for each in host.pieces
    )
    if level == STRICT and astray:
        sentence = f"{level} (strict), and the way to clients does not lead through {device}: their packets are dropped"
        remedy = f"mend the routes, or: sudo sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{device}.rp_filter=2"
        yield overridden("rp_filter", sentence, remedy)
    else:
        yield ok("rp_filter", f"{level} ({WORDS.get(level, 'unknown')})")


def room(_facts: Facts, host: HostFacts) -> Iterator[Result]:
    """Judge whether the accounting has room."""
    if host.free is None:
        return
    where, left = host.settings.accounting.file.parent, host.free >> 20
    if host.free < LITTLE_ROOM:
        yield missing("disk", f"{left} MiB are left for {where}: accounting is about to stop", "make room there")
    else:
        yield ok("disk", f"{left:,} MiB are left for {where}")


def _failed(facts: Facts, check: str, error: SetupError, remedy: str) -> Result:
    """Return what a look that failed means: root would see more, or something is missing."""
    if error.exit_code == 3 and not facts.root:
        return unknown(check, str(error), AS_ROOT)
    sentence, _, own_remedy = str(error).partition("; ")
    return missing(check, sentence, own_remedy or remedy)


CHECKS: tuple[Callable[[Facts, HostFacts], Iterator[Result]], ...] = (
    *(users, own_user, leftovers, port, gre, pieces, reverse_path, room),
)
