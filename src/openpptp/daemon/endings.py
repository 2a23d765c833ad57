"""The server's one line about a session's end, with a remedy for one that did not come to be."""

from collections.abc import Mapping
from typing import Any

from openpptp.daemon.driver import TunnelDriver
from openpptp.errors import EndReason
from openpptp.tunnel.outputs import SessionEnded

REMEDIES = {
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
"What the administrator can do, by how a session ended that never carried data; elsewhere there is nothing to mend."


def log_end(driver: TunnelDriver, output: SessionEnded, user: str | None, carried: Mapping[str, Any] | None) -> None:
    """Write the line; carried is None when data never flowed. A refused log-in has had its line already."""
    log = driver.log.info
    facts: dict[str, Any] = {"reason": output.reason.value.label, "detail": output.detail}
    if carried is not None:
        facts |= carried
    elif output.reason in REMEDIES:
        log = driver.log.warning
        facts["remedy"] = REMEDIES[output.reason]
    elif output.reason is EndReason.AUTHENTICATION_REFUSED:
        log = driver.log.debug
    if user is not None:
        facts = {"user": user} | facts
    else:  # it never logged in: one line per reason and peer
        facts |= {"kind": f"ended: {output.reason.value.label}", "seldom": 1}
    log("session ended", call=output.call_id, session=driver.names.of(output.call_id), **facts)
