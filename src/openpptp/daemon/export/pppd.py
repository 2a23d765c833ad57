"""What the clients that use pppd have in common: pptp-linux, alone or under NetworkManager."""

from openpptp.credentials import AuthMethod
from openpptp.daemon.export.access import Abilities, Terms

METHODS = {
    AuthMethod.MSCHAP_V2: "mschap-v2",
    AuthMethod.MSCHAP_V1: "mschap",
    AuthMethod.CHAP_MD5: "chap",
    AuthMethod.PAP: "pap",
}


def abilities(client: str) -> Abilities:
    """Return what pptp-linux and pppd can do: 56 bit is not among it."""
    return Abilities(client, frozenset(METHODS), frozenset({40, 128}))


def demands(terms: Terms) -> tuple[str, ...]:
    """Return the options that leave the agreed method and encryption, and no others."""
    refused = (f"refuse-{word}" for method, word in METHODS.items() if method is not terms.method)
    mppe = "nomppe" if terms.key_bits is None else f"require-mppe-{terms.key_bits}"
    return ("refuse-eap", *refused, mppe)
