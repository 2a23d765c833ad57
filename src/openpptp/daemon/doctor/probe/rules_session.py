"""Verdicts on what happens once GRE passes: LCP, authentication, the log-in, encryption, length of packets."""

from openpptp.daemon.doctor.probe.conclusion import Conclusion
from openpptp.daemon.doctor.probe.methods import OUR_METHOD, names, taken
from openpptp.daemon.doctor.probe.reading import Path, path_of, where
from openpptp.daemon.doctor.probe.seen import LoginSeen, Seen
from openpptp.errors import EndReason
from openpptp.ppp.ccp import describe_strengths
from openpptp.ppp.lcp_options import method_name
from openpptp.tunnel.settings import OVERHEAD
from openpptp.wire.ppp import MppeBits

HOW = "openpptp connect --mru; our server: ppp.mru; pppd: mru and mtu"
STRENGTHS = {128: MppeBits.BITS_128, 56: MppeBits.BITS_56, 40: MppeBits.BITS_40}


def link(seen: Seen) -> Conclusion | None:
    """Judge whether LCP opens."""
    call = seen.call
    if call is None or not call.gre.heard or call.lcp.opened_after is not None or taken(seen):
        return None
    if call.lcp.ended is not None:
        sentence = f"GRE passes, and {where(seen)} ends the link before anybody logs in: {call.lcp.ended}"
        return Conclusion("link-ended", sentence, "see the server's log for what it did not like")
    sentence = f"GRE passes, and no link (LCP) comes up with {where(seen)}"
    if call.lcp.requests:
        why = f": {call.ended[1]}" if call.ended is not None else " within some seconds"
        return Conclusion("link", f"{sentence}{why}", "see the server's log for what it did not like")
    remedy = "see the server's log: its PPP part (pppd) may be missing, or may have failed at its start"
    return Conclusion("link-silent", f"{sentence}: it acknowledges packets and does not speak", remedy)


def methods(seen: Seen) -> Conclusion | None:
    """Judge whether the server takes the method our client agrees to by itself."""
    takes = taken(seen)
    if not takes or OUR_METHOD in takes:
        return None
    others = names(takes)
    sentence = f"{where(seen)} lets nobody in by MS-CHAPv2: it wants {others} only"
    remedy = "allow MS-CHAPv2 on the server"
    weaker = [method_name(each) for each in takes if method_name(each) != "EAP"]
    if weaker:
        remedy += (
            f"; or, which shows the password to whoever listens, connect with --allow-method {weaker[0]} "
            "--encryption off"
            if weaker[0] in {"PAP", "CHAP-MD5"}
            else f"; or, weaker still, connect with --allow-method {weaker[0]}"
        )
    else:
        remedy += "; our client does not speak EAP"
    return Conclusion("methods", sentence, remedy)


def login(seen: Seen) -> Conclusion | None:
    """Judge whether a log-in succeeds, where one was asked for."""
    tried = seen.login
    if tried is None or tried.login.up is not None:
        return None
    if tried.login.failure:
        sentence = f"{where(seen)} refuses the log-in of {seen.account}: {tried.login.failure}"
        remedy = "check user name (with a Windows domain: DOMAIN\\user) and password; the server's log has the reason"
        return Conclusion("login-refused", sentence, remedy)
    reason, detail = tried.ended if tried.ended is not None else (None, "it did not get to its end in time")
    if tried.login.let_in and (reason is EndReason.ENCRYPTION_UNSUITABLE or tried.login.rejects_encryption):
        return _encryption(seen, tried.login)
    what = "lets in" if tried.login.let_in else "does not let in"
    sentence = f"{where(seen)} {what} {seen.account}, and the session comes to nothing: {detail}"
    return Conclusion("login", sentence, "see the server's log for the reason")


def _encryption(seen: Seen, login: LoginSeen) -> Conclusion:
    found = strengths(login)
    offers = f"offers {describe_strengths(found)} only" if found else "refuses encryption (MPPE)"
    if 128 in found and not any(each & MppeBits.STATELESS for each in login.offered):
        sentence = f"{where(seen)} lets {seen.account} in and insists on stateful MPPE; our client wants it stateless"
        return Conclusion("encryption", sentence, "allow stateless MPPE on the server, or connect with --stateful")
    sentence = f"{where(seen)} lets {seen.account} in and {offers}; our client requires MPPE 128 bit"
    remedy = "allow MPPE 128 bit on the server (pppd: require-mppe-128; ours: auth.encryption, auth.key_bits)"
    weaker = f"--key-bits {max(found)}, which is weak" if found else "--encryption off: everything is then readable"
    return Conclusion("encryption", sentence, f"{remedy}; or connect with {weaker}")


def strengths(login: LoginSeen) -> frozenset[int]:
    """Return the key lengths of MPPE the server asked for or suggested, in bits."""
    return frozenset(bits for bits, flag in STRENGTHS.items() if any(each & flag for each in login.offered))


def path(seen: Seen) -> Conclusion | None:
    """Judge whether long packets get lost."""
    found = seen.path
    if found is None or path_of(found) not in {Path.HOLE, Path.CUT}:
        return None
    passes = found.largest if found.told is None else found.told[0]
    mru = passes - OVERHEAD
    word = "without a word (a black hole)" if found.told is None else f"though {found.told[1]} says so"
    sentence = (
        f"packets of more than {passes:,} octets get lost on the way to {where(seen)} {word}; a client sends "
        f"up to {found.needed:,}"
    )
    if path_of(found) is Path.CUT:
        remedy = f"it works, slower, as long as the pieces pass; better set the MRU to {mru} on both sides ({HOW})"
        return Conclusion("mtu-pieces", f"{sentence}, and the pieces of cut ones pass", remedy, works=True)
    remedy = f"set the MRU to {mru} on both sides ({HOW})"
    if found.told is None:
        remedy += ", or let ICMP type 3 pass in the firewalls between, so that the way can say what it carries"
    return Conclusion("mtu-black-hole", f"{sentence}: log-ins work, and then pages hang", remedy)


def second(seen: Seen) -> Conclusion | None:
    """Judge whether a second call works beside the first."""
    other = seen.second
    if other is None or not other.connected or (other.gre.received and seen.first_still is not False):
        return None
    what = "gets no GRE back" if not other.gre.received else "takes the packets of the first one"
    by = "the NAT between" if seen.nat else "something between"
    sentence = (
        f"one client can connect to {where(seen)}; a second one from here at the same time {what}: most likely {by} "
        "tells calls apart by their addresses only"
    )
    remedy = "switch on the PPTP helper of the router, or renew its firmware"
    return Conclusion("one-call", sentence, remedy, works=True, certain=False)


def well(seen: Seen) -> Conclusion:
    """Say that nothing is in the way."""
    by = ", through a NAT with a PPTP helper" if seen.helper else ", through a NAT" if seen.nat else ""
    demanded = seen.call.lcp.demanded if seen.call is not None else []
    if demanded == [b""]:
        sentence = f"clients can connect to {where(seen)}{by}, and it asks nobody for a password"
        return Conclusion("no-password", sentence, "let the server ask for MS-CHAPv2", works=True)
    if seen.login is not None and seen.login.login.up is not None:
        return Conclusion("well", f"all is well: {seen.account} can connect to {where(seen)}{by}", works=True)
    sentence = f"all is well up to the log-in: clients can connect to {where(seen)}{by}"
    remedy = "what comes after it, encryption first of all, is seen with an account: --user NAME"
    return Conclusion("well", sentence, remedy, works=True)
