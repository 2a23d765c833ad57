"""Verdicts on everything up to the call: name, route, port, control connection."""

from collections.abc import Callable

from openpptp.daemon.doctor.probe.conclusion import Conclusion
from openpptp.daemon.doctor.probe.reading import refusals, said, service_of, where
from openpptp.daemon.doctor.probe.seen import Seen, TcpOutcome
from openpptp.tunnel.refusals import and_error, why_refused
from openpptp.wire.control import OutgoingCallResult, StartResult, name_of

FULL = frozenset({OutgoingCallResult.BUSY, OutgoingCallResult.NO_CARRIER, OutgoingCallResult.NO_DIAL_TONE})


def name(seen: Seen) -> Conclusion | None:
    """Judge whether the name has an address."""
    if not seen.name_problem:
        return None
    remedy = f"check the spelling, and what DNS says: getent ahostsv4 {seen.host}"
    return Conclusion("name", f"{seen.name_problem}, so nothing can be sent to it", remedy)


def route(seen: Seen) -> Conclusion | None:
    """Judge whether there is a way."""
    if not seen.way_problem:
        return None
    sentence = f"this machine has no way to {where(seen)}: {seen.way_problem}"
    return Conclusion("route", sentence, "connect it to a network, and see: ip route")


def port(seen: Seen) -> Conclusion | None:
    """Judge whether the port opens."""
    if seen.server is not None or not seen.tcp:
        return None
    told = [error for each in seen.tcp for error in refusals(each.errors) if error.source != each.address]
    if told:
        sentence = f"TCP port {seen.port} of {where(seen)} is not reached: {said(told[0])}"
        remedy = f"ask whoever keeps {told[0].source} to let TCP port {seen.port} and GRE (IP protocol 47) pass"
        return Conclusion("port-refused-on-the-way", sentence, remedy)
    first = seen.tcp[0]
    match first.outcome:
        case TcpOutcome.REFUSED:
            sentence = f"TCP port {seen.port} of {where(seen)} is closed: nobody listens there"
            remedy = (
                "start the PPTP server, or name its port with --port; where a router passes the port on, check that "
                "it does (on the server itself: openpptp doctor)"
            )
            return Conclusion("port-closed", sentence, remedy)
        case TcpOutcome.SILENT:
            sentence = (
                f"nothing answers on TCP port {seen.port} of {where(seen)}: "
                "most likely a firewall drops it, or the host is down"
            )
            remedy = f"see whether the host is up, and open TCP port {seen.port} in the firewalls before it"
            if seen.way is not None and seen.way.is_tunnel:
                remedy += f"; the way there leads through the tunnel {seen.way.device}: try without it"
            return Conclusion("port-filtered", sentence, remedy, certain=False)
    sentence = f"{where(seen)} cannot be reached: {first.detail}"
    return Conclusion("unreachable", sentence, "check this machine's network, and that the host is up")


def service(seen: Seen) -> Conclusion | None:
    """Judge whether PPTP is spoken there."""
    call = seen.call
    if call is None or call.start_reply is not None:
        return None
    place = f"on TCP port {seen.port} of {where(seen)}"
    remedy = "check the address and the port of the PPTP server, and what a router before it passes on"
    speaks = call.said or seen.banner
    if speaks:
        return Conclusion("wrong-service", f"{service_of(speaks)} answers {place}, not a PPTP server", remedy)
    if call.closed_after is not None and seen.way is not None and seen.way.source == seen.server:
        sentence = f"{where(seen)} is this very machine, and a server takes no calls from itself"
        return Conclusion("itself", sentence, "run this on a client's machine; for the server here: openpptp doctor")
    if call.closed_after is not None:
        sentence = (
            f"whoever answers {place} hangs up without a word: most likely a PPTP server that takes nobody from this "
            "address or has no room, or another service"
        )
        remedy = f"see the server's log, its list of allowed addresses and its limit of connections; {remedy}"
        return Conclusion("hangs-up", sentence, remedy, certain=False)
    sentence = f"TCP opens {place}, and nobody answers there: most likely another service, or a server that hangs"
    return Conclusion("mute-service", sentence, remedy, certain=False)


def control(seen: Seen) -> Conclusion | None:
    """Judge whether the server takes a control connection."""
    reply = seen.call.start_reply if seen.call is not None else None
    if reply is None or reply.result_code == StartResult.SUCCESSFUL:
        return None
    why = name_of(StartResult, reply.result_code) + and_error(reply.error_code)
    sentence = f"{where(seen)} refuses the control connection: {why}"
    return Conclusion("control-refused", sentence, "see the server's log, and its list of allowed addresses")


def call(seen: Seen) -> Conclusion | None:
    """Judge whether the server takes a call."""
    tried = seen.call
    if tried is None or tried.start_reply is None or tried.connected:
        return None
    reply = tried.call_reply
    if reply is None:
        hung = "and hangs up" if tried.closed_after is not None else "and does not answer it"
        sentence = f"{where(seen)} takes the control connection, is asked for a call {hung}"
        remedy = "see the server's log; some modems want a number to dial (openpptp connect --phone-number)"
        return Conclusion("call-unanswered", sentence, remedy)
    if reply.result_code in FULL:
        sentence = f"{where(seen)} has no free call: {why_refused(reply)}"
        remedy = "end a session there, or raise its limit (ours: limits.sessions; pptpd: connections and remoteip)"
        return Conclusion("no-free-call", sentence, remedy)
    sentence = f"{where(seen)} refuses the call: {why_refused(reply)}"
    return Conclusion("call-refused", sentence, "see the server's log for the reason")


def privilege(seen: Seen) -> Conclusion | None:
    """Judge whether GRE can be seen."""
    if not seen.privilege or seen.call is None or not seen.call.connected:
        return None
    sentence = f"{where(seen)} takes calls; whether GRE passes was not seen, since this process may not send it"
    return Conclusion("not-seen", sentence, "run the doctor with sudo", works=True, certain=False)


RULES: tuple[Callable[[Seen], Conclusion | None], ...] = (name, route, port, service, control, call, privilege)
