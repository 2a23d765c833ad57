"""Verdicts on GRE: what is dropped in which direction, by whom, and how sure that is."""

from openpptp.daemon.doctor.probe.conclusion import Conclusion
from openpptp.daemon.doctor.probe.reading import (
    PROHIBITED,
    PROTOCOL_UNREACHABLE,
    UNREACHABLE,
    Gre,
    gre_of,
    refusals,
    said,
    where,
)
from openpptp.daemon.doctor.probe.seen import Seen

GRE = "GRE (IP protocol 47)"
ALL_FIREWALLS = f"let {GRE} pass in the firewalls between here and the server, both ways, and in the server's own"
HELPER = (
    "switch on PPTP passthrough (the PPTP helper or ALG) on that router; on a Linux router load nf_nat_pptp and attach "
    "the helper to TCP port 1723; where the router is a carrier's, as in mobile networks, use another network"
)


def gre(seen: Seen) -> Conclusion | None:
    """Judge whether GRE passes both ways."""
    call = seen.call
    if call is None or not call.connected:
        return None
    match gre_of(seen):
        case Gre.PASSES:
            return None
        case Gre.KEPT_BACK:
            sentence = f"this machine's own firewall does not let {GRE} out"
            return Conclusion("gre-kept-back", sentence, f"let {GRE} out to {where(seen)} in the firewall here")
        case Gre.REFUSED:
            return _refused(seen)
        case Gre.UNHEARD:
            sentence = (
                f"{GRE} is lost on the way out: the server's arrives here, and it repeats itself as one that hears "
                "nothing of ours"
            )
            remedy = (
                f"let {GRE} out in this machine's firewall and the router's, and in at the server's; where a router "
                "has several addresses, GRE must leave by the one that TCP leaves by"
            )
            return Conclusion("gre-out", sentence, remedy)
        case Gre.STRAY:
            return _stray(seen)
    return _own_firewall(seen) or _nothing(seen)


def _refused(seen: Seen) -> Conclusion:
    assert seen.call is not None
    error = refusals(seen.call.gre.errors)[0]
    if (error.type, error.code) == (UNREACHABLE, PROTOCOL_UNREACHABLE) and error.source == seen.server:
        sentence = f"no program on {where(seen)} takes {GRE}: {said(error)}"
        remedy = (
            "see whether the PPTP server runs on that very machine; a router that passes TCP port 1723 on to it must "
            "pass on GRE as well"
        )
        return Conclusion("gre-no-protocol", sentence, remedy)
    verb = "refuses" if error.code in PROHIBITED else "does not pass on"
    sentence = f"{error.source} {verb} our {GRE}: {said(error)}"
    return Conclusion("gre-refused", sentence, f"ask whoever keeps {error.source} to let {GRE} pass")


def _stray(seen: Seen) -> Conclusion:
    assert seen.call is not None
    ids = ", ".join(map(str, sorted(seen.foreign)))
    sentence = (
        f"{GRE} comes from the server with Call ID {ids} in place of {seen.call.call_id}: most likely a NAT on the way "
        "rewrites Call IDs in the control connection and not in GRE"
    )
    remedy = (
        "renew that router's firmware, or switch its PPTP helper off and on; another tunnel from this machine to the "
        "same server would look the same"
    )
    return Conclusion("gre-call-id", sentence, remedy, certain=False)


def _own_firewall(seen: Seen) -> Conclusion | None:
    """Judge whether this very host drops what arrives."""
    if seen.firewall is None:
        return None
    likely = "" if seen.firewall.sure else "most likely "
    sentence = f"{likely}this machine's own firewall drops {GRE} that arrives: {seen.firewall.sentence}"
    return Conclusion("gre-own-firewall", sentence, seen.firewall.remedy, certain=seen.firewall.sure)


def _nothing(seen: Seen) -> Conclusion:
    """Decide between the causes by what is known of the direction, and of a NAT."""
    state = gre_of(seen)
    if state is Gre.NEITHER:
        return _neither(seen)
    hears = "which behaves as one that hears ours" if state is Gre.NOT_BACK else "and it does not say what it hears"
    if seen.nat and not seen.helper:
        return _no_helper(seen, hears)
    if seen.helper:
        sentence = (
            f"no {GRE} comes back from the server, {hears}: most likely a firewall drops it on the way back; the NAT "
            "between is not to blame, it has a PPTP helper"
        )
    elif state is Gre.NOT_BACK:
        sentence = f"no {GRE} comes back from the server, {hears}: most likely a firewall drops it on the way back"
    else:
        sentence = (
            f"no {GRE} comes back from the server, {hears}: most likely a firewall on the way drops it, back or both "
            "ways"
        )
    return Conclusion("gre-back", sentence, ALL_FIREWALLS, certain=False)


def _neither(seen: Seen) -> Conclusion:
    assert seen.call is not None
    sentence = (
        f"{GRE} passes in neither direction: nothing of the server's arrives, and it hung up after "
        f"{seen.call.disconnect_after or 0:.1f} s in which nothing of ours had"
    )
    if seen.nat and not seen.helper:
        sentence += "; most likely the NAT between does not carry it"
        return Conclusion("gre-both", sentence, HELPER, certain=False)
    return Conclusion("gre-both", sentence, ALL_FIREWALLS)


def _no_helper(seen: Seen, hears: str) -> Conclusion:
    router = f"the router {seen.way.gateway}" if seen.way is not None and seen.way.gateway else "a router"
    known = ", which rewrites no Call IDs," if seen.helper is False else ""
    sentence = (
        f"no {GRE} comes back from the server, {hears}: most likely a NAT between{known} has no PPTP helper "
        f"({router}, or one behind it)"
    )
    return Conclusion("nat-without-helper", sentence, HELPER, certain=False)
