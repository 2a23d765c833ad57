"""What the administrator can do about a session that did not come to be; what happened stands in its detail."""

from openpptp.errors import EndReason

SERVER = {
    EndReason.GRE_BLOCKED: "let IP protocol 47 pass both ways in every firewall on the way, also this machine's own; a "
    "Linux router that does NAT needs its module nf_conntrack_pptp, and others a switch for PPTP",
    EndReason.AUTHENTICATION_UNSUITABLE: "let the client log in by a method that auth.methods allows; adding its own "
    "there lets it in, and is weaker than MS-CHAPv2",
    EndReason.ENCRYPTION_UNSUITABLE: "let the client encrypt with a key length that auth.key_bits allows; "
    'auth.encryption = "optional" lets it in without, its data in clear',
    EndReason.NO_ADDRESS: "let the client take the address it is given; where none was free, enlarge network.pool or "
    "limits.sessions",
    EndReason.NEGOTIATION_FAILED: "run openpptp serve --debug, which logs what the two ends ask for",
    EndReason.SETUP_TIMEOUT: "look at the client and at the line; limits.session_timeout gives more time",
}
"How a session ended that never carried data, and the remedy on the server. What is missing here is nothing to mend."


def remedy(reason: EndReason, *, was_up: bool) -> str | None:
    """Return what to do about a session that ended for this reason; None when it is no failure of the set-up."""
    return None if was_up else SERVER.get(reason)
