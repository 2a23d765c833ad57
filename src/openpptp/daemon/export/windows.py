"""Windows: its built-in client, set up in PowerShell; no phone-book file is written."""

import re

from openpptp.credentials import AuthMethod
from openpptp.daemon.export.access import Abilities, Access
from openpptp.daemon.export.recipe import Recipe, commands, comment, routing, weaknesses
from openpptp.errors import SetupError

METHODS = {AuthMethod.MSCHAP_V2: "MSChapv2", AuthMethod.CHAP_MD5: "Chap", AuthMethod.PAP: "Pap"}
CAN = Abilities("Windows", frozenset(METHODS), frozenset({128}))
"Since Vista: no MS-CHAPv1, and 40 and 56 bit only after the registry's AllowPPTPWeakCrypto."
QUOTES = re.compile("(['\N{LEFT SINGLE QUOTATION MARK}-\N{SINGLE HIGH-REVERSED-9 QUOTATION MARK}])")
"All of them end PowerShell's single-quoted text; doubled they stand for themselves."


def recipe(access: Access) -> Recipe:
    """Return the lines for PowerShell."""
    terms = access.terms(CAN)
    name = quote(access.name)
    add = (
        f"Add-VpnConnection -Name {name} -ServerAddress {quote(access.address)} -TunnelType Pptp "
        f"-EncryptionLevel {'Required' if terms.key_bits else 'NoEncryption'} "
        f"-AuthenticationMethod {METHODS[terms.method]}{' -SplitTunneling' if access.routes else ''} -Force"
    )
    routes = (f"Add-VpnConnectionRoute -ConnectionName {name} -DestinationPrefix {route}" for route in access.routes)
    paste = (add, *routes, _dial(access))
    by_itself = "Everything goes through the tunnel; openpptp export --route NETWORK leaves the rest outside."
    explained = (
        *weaknesses(terms),
        routing(access, by_itself),
        "Hang up:",
        *commands([f"rasdial {name} /disconnect"]),
        "Remove it:",
        *commands([f"Remove-VpnConnection -Name {name} -Force"]),
    )
    head = comment(f"PPTP to {access.address} from Windows: run these lines in PowerShell.")
    return Recipe(paste, head + "".join(f"{line}\n" for line in paste) + comment(*explained))


def quote(text: str) -> str:
    """Return a word for PowerShell, quoted only where it must be."""
    plain = re.fullmatch(r"[A-Za-z0-9.-]+", text) is not None and not text.startswith("-")
    return text if plain else "'" + QUOTES.sub(r"\1\1", text) + "'"


def _dial(access: Access) -> str:
    """Return the line that connects.

    PowerShell before 7.3 damages a double quote, and a backslash at the end, on the way to another program.
    """
    name = quote(access.name)
    if access.password is not None and not _passes(access.password):
        raise SetupError(
            "this password, with \" in it, or a backslash at its end, or as it begins, does not reach Windows' rasdial "
            "unharmed; leave --password-file out, and Windows asks for it",
            exit_code=2,
        )
    if not _passes(access.user):
        return f"rasphone -d {name}"  # a window that asks for both
    return f"rasdial {name} {quote(access.user)} {'*' if access.password is None else quote(access.password)}"


def _passes(word: str) -> bool:
    return '"' not in word and not word.endswith("\\") and not word.startswith("/") and word != "*"
