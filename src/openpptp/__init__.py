"""OpenPPTP: a PPTP server, client and access concentrator (RFC 2637).

    async with openpptp.connect("vpn.example.org", "alice", password) as tunnel: ...
    async with openpptp.serve(network={"pool": ["10.9.0.0/24"]}, users={"alice": password}) as server: ...

The names below are what programs may rely on, and with them the modules openpptp.wire, openpptp.ppp, openpptp.tunnel
and openpptp.crypto for those who want the protocol alone; docs/library.md says more.
"""

TYPE_CHECKING = False  # as typing has it, without typing: every start of the command passes here
if TYPE_CHECKING:
    from openpptp.backends.given_users import User
    from openpptp.credentials import AuthMethod
    from openpptp.daemon.config import Settings
    from openpptp.daemon.given_ports import Ports
    from openpptp.datapath.seam import Counters
    from openpptp.errors import BadMessage, EndReason, Misuse, NoTunnel, PptpError, SetupError
    from openpptp.library.connecting import connect
    from openpptp.library.server import Server, Session
    from openpptp.library.serving import serve
    from openpptp.library.tunnel import Tunnel
    from openpptp.net.gre import RawGrePort
    from openpptp.net.memory import Faults, Wire

__version__ = "0.1.0"

__all__ = [
    "AuthMethod",
    "BadMessage",
    "Counters",
    "EndReason",
    "Faults",
    "Misuse",
    "NoTunnel",
    "Ports",
    "PptpError",
    "RawGrePort",
    "Server",
    "Session",
    "Settings",
    "SetupError",
    "Tunnel",
    "User",
    "Wire",
    "__version__",
    "connect",
    "serve",
]

if not TYPE_CHECKING:  # a type checker is to complain of names that are not there
    _HOMES = {
        "AuthMethod": "credentials",
        "BadMessage": "errors",
        "Counters": "datapath.seam",
        "EndReason": "errors",
        "Faults": "net.memory",
        "Misuse": "errors",
        "NoTunnel": "errors",
        "Ports": "daemon.given_ports",
        "PptpError": "errors",
        "RawGrePort": "net.gre",
        "Server": "library.server",
        "Session": "library.server",
        "Settings": "daemon.config",
        "SetupError": "errors",
        "Tunnel": "library.tunnel",
        "User": "backends.given_users",
        "Wire": "net.memory",
        "connect": "library.connecting",
        "serve": "library.serving",
    }

    def __getattr__(name):
        """Import what is asked for, and no sooner: the command's start is not to wait for the library."""
        from importlib import import_module  # noqa: PLC0415

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
