"""What would make do with a server that wants less than we allow, and what that gives away."""

from openpptp.credentials import AuthMethod
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.errors import NOTHING, EndReason
from openpptp.tunnel.outputs import SessionEnded

ANYBODY = "anybody on the way can then pass for that server"
METHODS = {
    AuthMethod.MSCHAP_V2.value: "--allow-method MS-CHAPv2 would log in",
    AuthMethod.MSCHAP_V1.value: f"--allow-method MS-CHAPv1 would log in, but gives away a key as good as the password; "
    f"{ANYBODY}",
    AuthMethod.CHAP_MD5.value: "--allow-method CHAP-MD5 --encryption off would log in, but lets whoever records it try "
    f"passwords, and sends all data in clear; {ANYBODY}",
    AuthMethod.PAP.value: "--allow-method PAP --encryption off would log in, but sends the password in clear, and all "
    f"data; {ANYBODY}",
    NOTHING: f"--allow-method CHAP-MD5 --encryption off would go on without, but sends all data in clear; {ANYBODY}",
}
"By the method the server wants."
NO_SUCH_METHOD = "this client has no other; let the server allow MS-CHAPv2 for this user"
CLEAR = "--encryption optional would go on without, but sends all data in clear"
SHORT_KEYS = "--key-bits {bits} would agree to that, but whoever records the traffic finds so short a key by trying all"


def with_remedy(ended: SessionEnded, request: ConnectRequest) -> str:
    """Return how a session ended, and which option would have allowed what the server wanted, with its danger."""
    match ended.reason:
        case EndReason.AUTHENTICATION_UNSUITABLE if ended.offered:
            remedy = METHODS.get(ended.offered[0], NO_SUCH_METHOD)
        case EndReason.ENCRYPTION_UNSUITABLE if ended.offered:
            weak = [bits for bits in ended.offered if bits != NOTHING and int(bits) not in request.key_bits]
            remedy = SHORT_KEYS.format(bits=weak[0]) if weak else CLEAR
        case _:
            return ended.detail
    return f"{ended.detail}; {remedy}"
