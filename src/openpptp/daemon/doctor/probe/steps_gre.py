"""The steps from GRE to the log-in, in words. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from openpptp.daemon.doctor.probe.methods import OUR_METHOD, names, taken
from openpptp.daemon.doctor.probe.reading import Gre, Path, gre_of, path_of, refusals, said
from openpptp.daemon.doctor.probe.rules_session import strengths
from openpptp.daemon.doctor.probe.seen import CallSeen, Method, Seen
from openpptp.daemon.doctor.report import AS_ROOT, Result, failed, ok, unknown
from openpptp.daemon.words import encryption as encryption_words
from openpptp.ppp.ccp import describe_strengths
from openpptp.ppp.lcp_options import method_name
from openpptp.tunnel.refusals import why_refused
from openpptp.tunnel.settings import OVERHEAD


def gre_out(seen: Seen) -> Iterator[Result]:
    """Say whether the server gets our packets."""
    call = _connected(seen)
    if call is None:
        return
    if seen.privilege:
        yield unknown("GRE", seen.privilege, AS_ROOT)
        return
    sent = f"{call.gre.sent} packets left"
    match gre_of(seen):
        case Gre.PASSES:
            yield ok("GRE out", "the server acknowledges what we send")
        case Gre.KEPT_BACK:
            yield failed("GRE out", f"this machine let none of {call.gre.not_sent} packets out")
        case Gre.REFUSED:
            yield failed("GRE out", f"{sent}; {'; '.join(map(said, refusals(call.gre.errors)))}")
        case Gre.UNHEARD:
            yield failed("GRE out", f"{sent}; the server acknowledges and answers none of them")
        case Gre.NEITHER:
            yield failed("GRE out", f"{sent}; the server hung up after {call.disconnect_after or 0:.1f} s without one")
        case Gre.NOT_BACK:
            yield unknown("GRE out", f"{sent}; most likely they arrive, else this kind of server had hung up")
        case Gre.STRAY | Gre.NOTHING:
            yield unknown("GRE out", f"{sent}; whether they arrive is not known")


def gre_back(seen: Seen) -> Iterator[Result]:
    """Say whether the server's packets get here."""
    call = _connected(seen)
    if call is None or seen.privilege:
        return
    gre = call.gre
    if gre.received:
        spoke = "the server spoke by itself" if gre.spoke_unheard else "the server answered us"
        sentence = f"{spoke}, with the Call ID agreed on; time to live {gre.time_to_live}"
        yield replace(ok("GRE back", sentence), seconds=gre.first_after)
    elif seen.foreign:
        ids = ", ".join(map(str, sorted(seen.foreign)))
        yield failed("GRE back", f"packets come with Call ID {ids}, on which nobody agreed")
    elif gre_of(seen) in {Gre.REFUSED, Gre.KEPT_BACK}:
        yield unknown("GRE back", "none came, as none can where ours do not arrive")
    else:
        own = f"; this machine's own firewall would drop it: {seen.firewall.sentence}" if seen.firewall else ""
        yield replace(failed("GRE back", f"not one packet came{own}"), seconds=seen.seconds.get("listen"))


def lcp(seen: Seen) -> Iterator[Result]:
    """Say how the link came up."""
    call = _connected(seen)
    if call is None or not call.gre.received:
        return
    found = call.lcp
    if found.opened_after is not None:
        echo = f", echo after {1000 * found.round_trip:.1f} ms" if found.round_trip is not None else ", no echo"
        yield replace(
            ok("LCP", f"open; the server receives {found.peer_mru:,} octets{echo}"), seconds=found.opened_after
        )
    elif found.ended is not None:
        yield failed("LCP", found.ended)
    elif found.requests:
        yield failed("LCP", f"{found.requests} requests of the server, and no agreement")
    else:
        yield failed("LCP", "no request of the server came")


def methods(seen: Seen) -> Iterator[Result]:
    """Say how the server would have itself proved who we are."""
    call = _connected(seen)
    if call is None or not call.lcp.demanded or not call.gre.heard:
        return
    if call.lcp.demanded == [b""]:
        yield failed("methods", "the server asks for no password at all", "let it ask for MS-CHAPv2")
        return
    groups = {answer: [each for each, found in seen.methods.items() if found is answer] for answer in Method}
    groups[Method.TAKEN] = taken(seen)
    said_of = [f"{answer.value} {names(found)}" for answer, found in groups.items() if found]
    asks = f"; it asks for {method_name(call.lcp.demanded[0])} first" if len(groups[Method.TAKEN]) > 1 else ""
    make = ok if OUR_METHOD in groups[Method.TAKEN] or not groups[Method.TAKEN] else failed
    yield replace(make("methods", f"the server {'; '.join(said_of)}{asks}"), seconds=seen.seconds.get("methods"))


def path(seen: Seen) -> Iterator[Result]:
    """Say what lengths pass."""
    found = seen.path
    if found is None:
        return
    took = seen.seconds.get("path")
    match path_of(found):
        case Path.WIDE:
            enough = "all that a client sends" if found.needed <= found.device else "as much as this machine's device"
            yield replace(ok("path MTU", f"{min(found.needed, found.device):,} octets pass, {enough}"), seconds=took)
        case Path.UNKNOWN:
            yield replace(
                unknown("path MTU", "no LCP echo came back: the server answers none, or the line loses much"),
                seconds=took,
            )
        case Path.TOLD:
            assert found.told is not None
            carries, source = found.told
            sentence = f"{source} says that the way carries {carries:,} octets; a client sends up to {found.needed:,}"
            remedy = f"longer packets are cut on the way; an MRU of {carries - OVERHEAD} on both sides avoids that"
            yield replace(ok("path MTU", sentence), seconds=took, remedy=remedy)
        case Path.CUT:
            yield replace(failed("path MTU", f"{_lost(seen)}; pieces of cut packets pass"), seconds=took)
        case Path.HOLE:
            yield replace(failed("path MTU", f"{_lost(seen)}; pieces of cut packets get lost as well"), seconds=took)


def _lost(seen: Seen) -> str:
    assert seen.path is not None
    lost = seen.path.lost or 0
    told = seen.path.told
    word = "no ICMP message says why" if told is None else f"{told[1]} says that the way carries {told[0]:,}"
    return f"{seen.path.largest:,} octets pass, {lost:,} get lost; {word}"


def nat(seen: Seen) -> Iterator[Result]:
    """Say whether addresses are translated between, and Call IDs."""
    if _connected(seen) is None or seen.way is None:
        return
    source = seen.way.source
    passes = not seen.privilege and gre_of(seen) is Gre.PASSES
    if seen.nat is False:
        yield ok("NAT", f"none: {source} is an address of the internet")
    elif seen.nat is None:
        yield unknown("NAT", f"not known: {source} and the server both have private addresses")
    elif seen.helper:
        yield ok("NAT", f"{source} is translated, by a NAT with a PPTP helper: it rewrites Call IDs")
    elif seen.helper is False:
        helped = "a helper of another kind, or none that is needed" if passes else "most likely there is no PPTP helper"
        yield (ok if passes else unknown)("NAT", f"{source} is translated, and Call IDs are not: {helped}")
    else:
        yield unknown("NAT", f"{source} is translated; whether there is a PPTP helper is not known")


def two_calls(seen: Seen) -> Iterator[Result]:
    """Say whether a second call works beside the first."""
    other = seen.second
    if other is None:
        return
    if other.call_reply is not None and not other.connected:
        yield unknown("two calls", f"the server takes no second one from here: {why_refused(other.call_reply)}")
    elif not other.connected:
        yield unknown("two calls", "the server answered no second request")
    elif not other.gre.received:
        yield failed("two calls", "the second one at the same time gets no GRE back")
    elif seen.first_still is False:
        yield failed("two calls", "the second one takes the packets of the first")
    else:
        yield ok("two calls", "two at the same time both get their GRE")


def login(seen: Seen) -> Iterator[Result]:
    """Say what becomes of the account, or what is not known without one."""
    tried = seen.login
    if tried is None:
        if seen.methods and not seen.account:
            yield unknown("encryption", "servers say after the log-in only which MPPE they allow", "add --user NAME")
        return
    took = seen.seconds.get("login")
    found = tried.login
    if not found.let_in:
        why = found.failure or (tried.ended[1] if tried.ended is not None else "it did not get to its end in time")
        yield replace(failed("log-in", why), seconds=took)
        return
    yield replace(ok("log-in", f"{seen.account} is let in, and the server knows the password"), seconds=took)
    offers = f"the server offers {describe_strengths(strengths(found))}"
    if found.up is None:
        yield failed("encryption", offers)
        return
    yield ok("encryption", f"{encryption_words(found.up.key_bits)}; {offers}")
    yield ok("address", f"{found.up.our_address}, the server is {found.up.peer_address}; MTU {found.up.mtu:,}")


def _connected(seen: Seen) -> CallSeen | None:
    return seen.call if seen.call is not None and seen.call.connected else None


STEPS = (gre_out, gre_back, lcp, methods, path, nat, two_calls, login)
