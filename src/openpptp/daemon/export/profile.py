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
        routing(access, "Through the tunnel goes what is for its other end; routes and default_route send more."),
    )
    return Recipe((_command(access, terms),), head + _toml(_profile(access, terms)), path)


def _profile(access: Access, terms: Terms) -> dict[str, dict[str, object]]:
    auth: dict[str, object] = {"user": access.user}
    if access.password is not None:
        auth["password"] = access.password
    auth |= {"methods": [terms.method.value], "encryption": "off" if terms.key_bits is None else "required"}
    if terms.key_bits is not None:
        auth["key_bits"] = [terms.key_bits]
    return {
        "server": {"hosts": [access.address], "port": access.port},
        "auth": auth,
        "network": {"routes": [str(route) for route in access.routes], "default_route": access.default_route},
    }


def _toml(sections: dict[str, dict[str, object]]) -> str:
    """Write sections; JSON's notation for text, numbers, flags and lists is TOML's too."""
    return "".join(
        f"\n[{section}]\n"
        + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())
        for section, keys in sections.items()
    )


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
