"""Linux with NetworkManager: a keyfile and its nmcli line, for the plugin network-manager-pptp."""

import shlex
import uuid

from openpptp.credentials import AuthMethod
from openpptp.daemon.export import pppd
from openpptp.daemon.export.access import Access, Terms
from openpptp.daemon.export.recipe import Recipe, commands, comment, routing, weaknesses

CAN = pppd.abilities("NetworkManager")
FOLDER = "/etc/NetworkManager/system-connections"
REFUSALS = {
    AuthMethod.PAP: "refuse-pap",
    AuthMethod.CHAP_MD5: "refuse-chap",
    AuthMethod.MSCHAP_V1: "refuse-mschap",
    AuthMethod.MSCHAP_V2: "refuse-mschapv2",  # the plugin writes it without pppd's second hyphen
}
SAVED, ASKED_FOR = "0", "2"
"Values of password-flags: NetworkManager keeps it, or asks each time."


def recipe(access: Access) -> Recipe:
    """Return the keyfile, and what nmcli makes the same of."""
    terms = access.terms(CAN)
    name = shlex.quote(access.name)
    path = f"{FOLDER}/{access.name}.nmconnection"
    head = comment(
        f"PPTP to {access.address} by NetworkManager and its plugin (package network-manager-pptp). As root:",
        *commands([f"install -m 600 FILE {path}", f"nmcli connection load {path}"]),
        f"Connect:  nmcli --ask connection up {name}",
        f"Hang up:  nmcli connection down {name}",
        f"Remove:   nmcli connection delete {name}",
        *weaknesses(terms),
        routing(access, "Everything goes through the tunnel; openpptp export --route NETWORK leaves the rest outside."),
    )
    return Recipe(_nmcli(access, terms, name), head + _keyfile(access, terms), path)


def _data(access: Access, terms: Terms) -> dict[str, str]:
    """Return what the plugin itself reads."""
    data = {
        "gateway": access.address,
        "user": access.user,
        "password-flags": ASKED_FOR if access.password is None else SAVED,
    }
    if terms.key_bits is not None:
        data[f"require-mppe-{terms.key_bits}"] = "yes"
    data["refuse-eap"] = "yes"
    return data | {key: "yes" for method, key in REFUSALS.items() if method is not terms.method}


def _keyfile(access: Access, terms: Terms) -> str:
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"pptp://{access.user}@{access.address}/{access.name}")
    vpn = {"service-type": "org.freedesktop.NetworkManager.pptp"} | _data(access, terms)
    ipv4 = {"method": "auto"}
    if access.routes:
        ipv4 |= {"never-default": "true"} | {f"route{n}": str(route) for n, route in enumerate(access.routes, 1)}
    sections = {
        "connection": {"id": access.name, "uuid": str(identity), "type": "vpn", "autoconnect": "false"},
        "vpn": vpn,
        "ipv4": ipv4,
        "ipv6": {"method": "disabled"},
    }
    if access.password is not None:
        sections["vpn-secrets"] = {"password": access.password}
    return "".join(
        f"\n[{section}]\n" + "".join(f"{key}={escape(value)}\n" for key, value in values.items())
        for section, values in sections.items()
    )


def escape(value: str) -> str:
    r"""Return a value as GLib's key files have it: \\ for a backslash, \s for a blank at either end."""
    value = value.replace("\\", "\\\\")
    begins = len(value) - len(value.lstrip(" "))
    ends = len(value) - len(value.rstrip(" ")) if begins < len(value) else 0
    return "\\s" * begins + value[begins : len(value) - ends] + "\\s" * ends


def _nmcli(access: Access, terms: Terms, name: str) -> tuple[str, ...]:
    data = ", ".join(f"{key}={_listed(value)}" for key, value in _data(access, terms).items())
    words = f"nmcli connection add type vpn vpn-type pptp con-name {name} vpn.data {shlex.quote(data)}"
    if access.routes:
        words += f" ipv4.never-default yes ipv4.routes {shlex.quote(', '.join(map(str, access.routes)))}"
    if access.password is not None:
        words += f" vpn.secrets {shlex.quote(f'password={_listed(access.password)}')}"
    return words, f"nmcli --ask connection up {name}"


def _listed(text: str) -> str:
    """Escape for nmcli's list of key=value pairs, where a comma separates and a backslash escapes."""
    return text.replace("\\", "\\\\").replace(",", "\\,")
