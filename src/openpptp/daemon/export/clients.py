"""The clients there are settings for, by the names `openpptp export --for` takes."""

from collections.abc import Callable
from enum import Enum

from openpptp.daemon.export import mikrotik, network_manager, pptp_linux, profile, windows
from openpptp.daemon.export.access import Access
from openpptp.daemon.export.recipe import Recipe
from openpptp.errors import SetupError


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
_RECIPES: dict[Client, Callable[[Access], Recipe]] = {
    Client.WINDOWS: windows.recipe,
    Client.NETWORK_MANAGER: network_manager.recipe,
    Client.MIKROTIK: mikrotik.recipe,
    Client.PPTP_LINUX: pptp_linux.recipe,
    Client.OPENPPTP: profile.recipe,
}


def recipe(access: Access, client: Client) -> Recipe:
    """Return the settings of one client; raise SetupError when it and the server have no common ground."""
    return _RECIPES[client](access)


def all_ways(access: Access) -> str:
    """Return the lines that set each client up, under its title; or why it cannot come in."""
    return "\n\n".join(f"{TITLES[client]}:\n" + "\n".join(_lines(access, client)) for client in Client)


def _lines(access: Access, client: Client) -> list[str]:
    try:
        return [f"  {line}" for line in recipe(access, client).paste]
    except SetupError as error:
        return [f"  not possible: {error}"]
