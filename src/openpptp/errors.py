"""Every exception of ours, in one tree, and every reason for which a session ends.

Decoders raise BadMessage and nothing else; machines raise Misuse when they are driven wrongly;
what a person can mend is a SetupError.
"""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Ending:
    """What one way of ending means to the peer, to accounting and to a reader."""

    label: str
    "Metric label, in kebab case."
    call_result: int
    "Result Code of Call-Disconnect-Notify (RFC 2637 section 2.13)."
    accounting_cause: int
    "Acct-Terminate-Cause (RFC 2866 section 5.10)."
    sentence: str
    "What the user reads; also the text of our Terminate-Request."


class EndReason(Enum):
    """Every way a session ends; the one place that maps it to codes and words."""

    USER_REQUEST = Ending("user-request", 4, 1, "ended by request")
    PEER_REQUEST = Ending("peer-request", 4, 1, "the peer ended the session")
    ADMIN_DISCONNECT = Ending("admin-disconnect", 3, 6, "disconnected by the administrator")
    SHUTDOWN = Ending("shutdown", 3, 7, "this system is shutting down")
    CONNECTION_LOST = Ending("connection-lost", 1, 2, "the control connection broke")
    PEER_SILENT = Ending("peer-silent", 1, 2, "the peer stopped answering")
    GRE_BLOCKED = Ending(
        "gre-blocked", 1, 2, "no GRE (IP protocol 47) came from the peer; a firewall or NAT on the way drops it"
    )
    SETUP_TIMEOUT = Ending("setup-timeout", 1, 4, "the session was not set up in time")
    NEGOTIATION_FAILED = Ending("negotiation-failed", 2, 17, "the two ends found no common settings")
    AUTHENTICATION_REFUSED = Ending("authentication-refused", 2, 17, "the user name or password was refused")
    AUTHENTICATION_UNSUITABLE = Ending("authentication-unsuitable", 2, 17, "no authentication method suits both ends")
    SERVER_NOT_GENUINE = Ending(
        "server-not-genuine", 2, 17, "the server did not prove that it knows the password; it may be an impostor"
    )
    ENCRYPTION_UNSUITABLE = Ending("encryption-unsuitable", 2, 17, "the two ends agreed on no encryption both allow")
    ENCRYPTION_LOST = Ending("encryption-lost", 1, 9, "encryption lost step and could not be recovered")
    NO_ADDRESS = Ending("no-address", 2, 9, "no address was available or acceptable")
    LOOPED = Ending("looped", 1, 9, "our own packets come back: the link is looped")
    FLOODED = Ending("flooded", 3, 6, "the peer asked too often")
    PROTOCOL_ERROR = Ending("protocol-error", 2, 9, "the peer sent what the protocol does not allow")
    CALL_REFUSED = Ending("call-refused", 2, 9, "the peer refused the call")
    RESOURCES = Ending("resources", 3, 9, "this system has no room for the session")
    IDLE = Ending("idle", 3, 4, "nothing passed for the allowed idle time")
    TIME_LIMIT = Ending("time-limit", 3, 5, "the allowed session time is over")
    QUOTA = Ending("quota", 3, 10, "the quota is used up")
    HOURS = Ending("hours", 3, 5, "the hours at which this user may be connected are over")
    EXPIRED = Ending("expired", 3, 5, "the account has expired")
    DISABLED = Ending("disabled", 3, 6, "the account is disabled")
    REPLACED = Ending("replaced", 3, 13, "the same user has logged in elsewhere")


NOTHING = "none"
"The word for what a peer offers that wants no log-in, or no encryption."


class PptpError(Exception):
    """Root of every error this package raises on purpose."""


class BadMessage(PptpError):
    """Octets that do not form the message they claim to be; raised by decoders only."""


class PeerViolation(PptpError):
    """The peer broke the protocol in a way that ends the session, or wants what this end does not.

    offered is what it would have agreed to, in the words of settings: methods as PAP, key lengths as 40; or NOTHING.
    """

    def __init__(self, reason: EndReason, detail: str, offered: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.reason = reason
        self.offered = offered


class NoTunnel(PptpError):
    """There is no tunnel: the server refused it or is not there, or it has ended; the text says why."""

    def __init__(self, reason: EndReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Misuse(PptpError):
    """Our own code drove a machine in a way its state does not allow."""


class SetupError(PptpError):
    """Something a person can mend stands in the way: says what, why and the remedy.

    exit_code is what the command ends with: 1 failed, 2 wrong usage or settings, 3 a privilege or part is missing.
    """

    def __init__(self, sentence: str, *, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
