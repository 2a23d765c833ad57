"""Ready-made set-ups for the clients people have: what to paste, line by line."""

import shlex
from enum import Enum


class Client(Enum):
    """Clients we know the set-up of."""

    WINDOWS = "windows"
    NETWORK_MANAGER = "networkmanager"
    MIKROTIK = "mikrotik"
    PPTP_LINUX = "pptp-linux"
    OPENPPTP = "openpptp"


TITLES = {
    Client.WINDOWS: "Windows, in PowerShell",
    Client.NETWORK_MANAGER: "Linux with NetworkManager (package network-manager-pptp)",
    Client.MIKROTIK: "MikroTik RouterOS",
    Client.PPTP_LINUX: "Linux with pptp-linux and pppd",
    Client.OPENPPTP: "OpenPPTP",
}
PPPD_OPTIONS = (
    "nodetach noauth noipdefault nobsdcomp nodeflate novj novjccomp "
    "refuse-eap refuse-pap refuse-chap refuse-mschap require-mppe-128"
)
"noauth overrides Debian's /etc/ppp/options; the refusals leave MS-CHAPv2 alone, the only method with a safe default."


def how_to_connect(address: str, user: str, *, for_: Client, name: str = "openpptp") -> str:
    """Return the lines that set one client up for user at address; they ask for the password, or say PASSWORD."""
    match for_:
        case Client.WINDOWS:
            return (
                f"Add-VpnConnection -Name {_powershell(name)} -ServerAddress {_powershell(address)} -TunnelType Pptp "
                "-EncryptionLevel Required -AuthenticationMethod MSChapv2 -Force\n"
                f"rasdial {_powershell(name)} {_powershell(user)} *"
            )
        case Client.NETWORK_MANAGER:
            data = f"gateway={address}, user={_network_manager(user)}, password-flags=2, require-mppe-128=yes, " + (
                "refuse-eap=yes, refuse-pap=yes, refuse-chap=yes, refuse-mschap=yes"
            )
            return (
                f"nmcli connection add type vpn vpn-type pptp con-name {shlex.quote(name)} "
                f"vpn.data {shlex.quote(data)}\n"
                f"nmcli --ask connection up {shlex.quote(name)}"
            )
        case Client.MIKROTIK:
            return (
                f"/interface pptp-client add name={_routeros(name)} connect-to={address} user={_routeros(user)} "
                'password="PASSWORD" profile=default-encryption allow=mschap2 disabled=no'
            )
        case Client.PPTP_LINUX:
            secret = f'{_pppd_word(user)} * "PASSWORD" *'
            pty = shlex.quote(f"pptp {address} --nolaunchpppd")
            return (
                f"echo {shlex.quote(secret)} | sudo tee -a /etc/ppp/chap-secrets >/dev/null\n"
                f"sudo pppd pty {pty} user {shlex.quote(user)} {PPPD_OPTIONS}"
            )
        case Client.OPENPPTP:
            return f"sudo openpptp connect {address} --user {shlex.quote(user)}"


def all_ways(address: str, user: str) -> str:
    """Return the set-ups of all clients, each under its title."""
    return "\n\n".join(f"{TITLES[client]}:\n{_indent(how_to_connect(address, user, for_=client))}" for client in Client)


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _powershell(text: str) -> str:
    return text if text.replace(".", "").replace("-", "").isalnum() else "'" + text.replace("'", "''") + "'"


def _network_manager(text: str) -> str:
    """Escape for nmcli's list of key=value pairs, where a comma separates and a backslash escapes."""
    return text.replace("\\", "\\\\").replace(",", "\\,")


def _routeros(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("?", "\\?") + '"'


def _pppd_word(text: str) -> str:
    """Quote a word for pppd's secrets file and option parser only where it needs it."""
    if text.isascii() and text.replace(".", "").replace("-", "").replace("_", "").replace("@", "").isalnum():
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
