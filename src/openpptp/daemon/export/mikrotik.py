"""MikroTik RouterOS: a script for its console or /import."""

import re

from openpptp.credentials import AuthMethod
from openpptp.daemon.export.access import PLACEHOLDER, Abilities, Access
from openpptp.daemon.export.recipe import Recipe, commands, comment, routing, weaknesses

METHODS = {
    AuthMethod.MSCHAP_V2: "mschap2",
    AuthMethod.MSCHAP_V1: "mschap1",
    AuthMethod.CHAP_MD5: "chap",
    AuthMethod.PAP: "pap",
}
CAN = Abilities("RouterOS", frozenset(METHODS), frozenset({40, 128}))
ESCAPED = re.compile(rb'["\\$?]|[^ -~]')
"What means something inside quotes, and all octets beyond ASCII."


def recipe(access: Access) -> Recipe:
    """Return the script."""
    terms = access.terms(CAN)
    name = quote(access.name)
    paste = (
        f"/ppp profile add name={name} use-compression=no change-tcp-mss=yes "
        f"use-encryption={'no' if terms.key_bits is None else 'required'}",
        f"/interface pptp-client add name={name} connect-to={access.address} user={quote(access.user)} "
        f"password={quote(access.password if access.password is not None else PLACEHOLDER)} profile={name} "
        f"allow={METHODS[terms.method]} add-default-route={'yes' if access.default_route else 'no'} disabled=no",
        *(f"/ip route add dst-address={route} gateway={name}" for route in access.routes),
    )
    undo = (
        *([f"/ip route remove [find gateway={name}]"] if access.routes else []),
        f"/interface pptp-client remove [find name={name}]",
        f"/ppp profile remove [find name={name}]",
    )
    by_itself = "Through the tunnel goes what is for its other end; --route and --default-route send more."
    head = comment(f"PPTP to {access.address} from RouterOS: paste these lines, or /import the file.")
    explained = comment(*weaknesses(terms), routing(access, by_itself), "Remove it:", *commands(undo))
    return Recipe(paste, head + "".join(f"{line}\n" for line in paste) + explained)


def quote(text: str) -> str:
    """Return text as RouterOS reads it back: UTF-8, with what its console would read written in hexadecimal."""
    octets = ESCAPED.sub(lambda found: b"\\%02X" % found[0][0], text.encode())
    return f'"{octets.decode("ascii")}"'
