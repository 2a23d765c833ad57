"""Our own client: a profile for `openpptp connect`."""

import json
import shlex

from openpptp.credentials import AuthMethod
from openpptp.daemon.export.access import PORT, Abilities, Access, Terms
from openpptp.daemon.export.recipe import Recipe, comment, routing, weaknesses

CAN = Abilities("openpptp connect", frozenset(AuthMethod), frozenset({40, 56, 128}), any_port=True)
FOLDER = "~/.config/openpptp"


def recipe(access: Access) -> Recipe:
    """Return the profile, and the command that does the same without one."""
    terms = access.terms(CAN)
    path = f"{FOLDER}/{access.name}.toml"
    head = comment(
        f"PPTP to {access.address} by OpenPPTP's own client. Put this at {path}, mode 600.",
        f"Connect:  sudo openpptp connect {access.name}",
        *weaknesses(terms),
        routing(access, "Through the tunnel goes what is for the server's end of it; routes and default_route add."),
    )
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in _profile(access, terms).items())
    return Recipe((_command(access, terms),), head + "".join(lines), path)


def _profile(access: Access, terms: Terms) -> dict[str, object]:
    """Return the keys of ConnectRequest; JSON's notation for text, numbers, flags and lists is TOML's too."""
    profile: dict[str, object] = {
        "host": access.address,
        "port": access.port,
        "user": access.user,
        "methods": [terms.method.value],
        "encryption": "off" if terms.key_bits is None else "required",
    }
    if terms.key_bits is not None:
        profile["key_bits"] = [terms.key_bits]
    return profile | {"routes": [str(route) for route in access.routes], "default_route": access.default_route}


def _command(access: Access, terms: Terms) -> str:
    words = ["sudo", "openpptp", "connect", access.address, "--user", access.user]
    if access.port != PORT:
        words += ["--port", str(access.port)]
    if terms.method is not AuthMethod.MSCHAP_V2:
        words += ["--allow-method", terms.method.value]
    if terms.key_bits is None:
        words += ["--encryption", "off"]
    elif terms.key_bits < 128:
        words += ["--key-bits", str(terms.key_bits)]
    words += [word for route in access.routes for word in ("--route", str(route))]
    return shlex.join([*words, *(["--default-route"] if access.default_route else [])])
