"""What is read out of what was seen, for the steps and the verdict alike; pure."""

from collections.abc import Iterable
from enum import Enum

from openpptp.daemon.doctor.probe.seen import CallSeen, PathSeen, Seen
from openpptp.net.error_queue import IcmpError
from openpptp.tunnel.settings import VENDOR_NAME

UNREACHABLE, TIME_EXCEEDED = 3, 11  # RFC 792
TOO_BIG = 4  # RFC 1191
PROHIBITED = frozenset({9, 10, 13})  # RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1
PROTOCOL_UNREACHABLE = 2
WORDS = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "too big",
    (3, 5): "source route failed",
    (3, 6): "network unknown",
    (3, 7): "host unknown",
    (3, 9): "administratively prohibited",
    (3, 10): "administratively prohibited",
    (3, 13): "administratively prohibited",
    (11, 0): "the packet went in circles",
}


class Gre(Enum):
    """What became of the GRE of the first call."""

    PASSES = "it passes both ways"
    KEPT_BACK = "this host does not let ours out"
    REFUSED = "somebody on the way says that he refuses ours"
    UNHEARD = "the server's arrives, and it hears nothing of ours"
    STRAY = "the server's arrives with a Call ID nobody agreed on"
    NEITHER = "nothing arrives, and the server said that nothing of ours did"
    NOT_BACK = "nothing arrives, and the server behaves as one that hears us"
    NOTHING = "nothing arrives, and the server does not say what it hears"


def gre_of(seen: Seen) -> Gre:
    """Return what became of the GRE of the first call, which was connected."""
    call = seen.call
    assert call is not None
    if call.gre.heard:
        return Gre.PASSES
    if call.gre.not_sent and not call.gre.sent:
        return Gre.KEPT_BACK
    if call.gre.received:
        return Gre.UNHEARD
    if refusals(call.gre.errors):
        return Gre.REFUSED
    if seen.foreign:
        return Gre.STRAY
    if is_ours(call):
        # Ours hangs up when it has heard nothing for gre_timeout; where it hears us, LCP alone would take longer.
        return Gre.NEITHER if call.hung_up_by_server else Gre.NOT_BACK
    return Gre.NOTHING


def is_ours(call: CallSeen) -> bool:
    """Tell whether the server is one of ours."""
    return call.vendor == VENDOR_NAME


def refusals(errors: Iterable[IcmpError]) -> list[IcmpError]:
    """Return those ICMP messages that say packets are refused or do not get there, each sender once."""
    found = {(each.source, each.type, each.code): each for each in errors if not is_too_big(each)}
    return list(found.values())


def is_too_big(error: IcmpError) -> bool:
    """Tell whether a message is about the length of a packet only."""
    return (error.type, error.code) == (UNREACHABLE, TOO_BIG)


def said(error: IcmpError) -> str:
    """Return for a person what an ICMP message says, and who sent it."""
    words = WORDS.get((error.type, error.code), f"ICMP type {error.type} code {error.code}")
    return f"{error.source} says: {words}"


def where(seen: Seen) -> str:
    """Name the server."""
    address = seen.server or (seen.addresses[0] if seen.addresses else None)
    return seen.host if address is None or str(address) == seen.host else f"{seen.host} ({address})"


class Path(Enum):
    """What the way does to long packets."""

    WIDE = "it carries all that the tunnel sends"
    TOLD = "it carries less, and says so"
    CUT = "it loses what must not be cut, without a word, and carries the pieces"
    HOLE = "it loses what is too long, whole and in pieces"
    UNKNOWN = "no echo came back"


def path_of(path: PathSeen) -> Path:
    """Return what the way does to long packets."""
    if not path.largest:
        return Path.UNKNOWN
    if path.lost is None:
        return Path.WIDE
    if path.in_pieces is False:
        return Path.HOLE
    return Path.TOLD if path.told is not None else Path.CUT


KINDS: tuple[tuple[bytes, str], ...] = (
    (b"HTTP/", "a web server (HTTP)"),
    (b"<!DOCTYPE", "a web server (HTTP)"),
    (b"<html", "a web server (HTTP)"),
    (b"SSH-", "an SSH server"),
    (b"\x15\x03", "a TLS service"),
    (b"\x16\x03", "a TLS service"),
    (b"\x03\x00\x00", "a Windows remote desktop (RDP)"),
    (b"RFB ", "a VNC server"),
    (b"220 ", "a mail or file server (SMTP or FTP)"),
    (b"* OK", "a mail server (IMAP)"),
    (b"+OK", "a mail server (POP3)"),
)
"How services begin that are no PPTP servers."


def service_of(said: bytes) -> str:
    """Name the service that speaks so."""
    for beginning, name in KINDS:
        if said[: len(beginning)].lower() == beginning.lower():
            return name
    text = "".join(map(chr, said[:40])).strip()
    return f"a service that says {text!r}" if text.isascii() and text.isprintable() and text else "another service"
