"""Each step of a look at a server, in words: up to the call; steps_gre.py has the rest. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from openpptp.daemon.doctor.probe import steps_gre
from openpptp.daemon.doctor.probe.reading import refusals, said, service_of
from openpptp.daemon.doctor.probe.seen import Seen, TcpOutcome, TcpSeen
from openpptp.daemon.doctor.report import Result, failed, ok
from openpptp.tunnel.refusals import and_error, why_refused
from openpptp.wire.control import (
    Bearer,
    Framing,
    StartControlConnectionReply,
    StartResult,
    escape,
    name_of,
)


def steps(seen: Seen) -> list[Result]:
    """Return a result for each step that was taken."""
    return [result for step in (*STEPS, *steps_gre.STEPS) for result in step(seen)]


def name(seen: Seen) -> Iterator[Result]:
    """Say what addresses the name has."""
    took = seen.seconds.get("name")
    if seen.name_problem:
        yield replace(failed("name", seen.name_problem), seconds=took)
        return
    literal = [str(each) for each in seen.addresses] == [seen.host]
    sentence = f"{seen.host} is an address" if literal else f"{seen.host} is {_listed(seen.addresses)}"
    yield replace(ok("name", sentence), seconds=took)


def route(seen: Seen) -> Iterator[Result]:
    """Say which way packets take."""
    took = seen.seconds.get("route")
    if seen.way_problem:
        yield replace(failed("route", seen.way_problem), seconds=took)
    if seen.way is not None:
        way = seen.way
        tunnel = f", itself a tunnel ({way.kind})" if way.is_tunnel else ""
        by = f"by {way.gateway}" if way.gateway is not None else "directly"
        sentence = f"through {way.device}{tunnel}, {by}, from {way.source}; it carries {way.mtu:,} octets"
        yield replace(ok("route", sentence), seconds=took)


def port(seen: Seen) -> Iterator[Result]:
    """Say which addresses open the port; one is enough."""
    opens = any(each.outcome is TcpOutcome.OPEN for each in seen.tcp)
    for each in seen.tcp:
        make = ok if each.outcome is TcpOutcome.OPEN or opens else failed
        yield replace(make(f"TCP {seen.port}", _attempt(each)), seconds=each.seconds)


def _attempt(tried: TcpSeen) -> str:
    match tried.outcome:
        case TcpOutcome.OPEN:
            return f"{tried.address} opens it"
        case TcpOutcome.REFUSED:
            return f"{tried.address} refuses it: closed"
    told = refusals(tried.errors)
    if told:
        return f"{tried.address} is not reached: {said(told[0])}"
    if tried.outcome is TcpOutcome.SILENT:
        return f"{tried.address} does not answer, and no ICMP message came: filtered, or the host is down"
    return f"{tried.address} is not reached: {tried.detail}"


def control(seen: Seen) -> Iterator[Result]:
    """Say who answers there."""
    call = seen.call
    if call is None:
        return
    reply = call.start_reply
    if reply is None:
        speaks = call.said or seen.banner
        closes = "it hangs up without a word" if call.closed_after is not None else "nobody answers"
        sentence = f"{service_of(speaks)} answers, no PPTP server" if speaks else closes
        yield failed("control", sentence)
    elif reply.result_code != StartResult.SUCCESSFUL:
        why = name_of(StartResult, reply.result_code) + and_error(reply.error_code)
        yield replace(failed("control", f"refused: {why}"), seconds=call.start_after)
    else:
        yield replace(ok("control", describe(reply)), seconds=call.start_after)


def describe(reply: StartControlConnectionReply) -> str:
    """Return all that a server says of itself."""
    major, minor = divmod(reply.protocol_version, 256)
    named = f'"{escape(reply.vendor_name)}", host "{escape(reply.host_name)}"'
    return (
        f"{named}, PPTP {major}.{minor}, firmware {reply.firmware_revision}, "
        f"framing {_flags(Framing, reply.framing_capabilities)}, bearer {_flags(Bearer, reply.bearer_capabilities)}, "
        f"channels {reply.maximum_channels}"
    )


def call(seen: Seen) -> Iterator[Result]:
    """Say whether the server takes a call."""
    tried = seen.call
    if tried is None or tried.start_reply is None or tried.start_reply.result_code != StartResult.SUCCESSFUL:
        return
    reply = tried.call_reply
    if reply is None:
        yield failed("call", "no Outgoing-Call-Reply came")
        return
    took = tried.call_after - tried.start_after
    if not tried.connected:
        yield replace(failed("call", f"refused: {why_refused(reply)}"), seconds=took)
        return
    sentence = (
        f"connected: Call ID {tried.call_id} here, {reply.call_id} there; its receive window is "
        f"{reply.packet_receive_window_size} packets"
    )
    yield replace(ok("call", sentence), seconds=took)


def _listed(addresses: tuple[IPv4Address, ...]) -> str:
    return " and ".join(map(str, addresses))


def _flags(kinds: type[Framing] | type[Bearer], number: int) -> str:
    words = [kind.name.lower() for kind in kinds if number & kind and kind.name is not None]
    return " and ".join(words) or "none"


STEPS = (name, route, port, control, call)
