"""What may be said of a tunnel besides server, user and password: a profile's keys, flat."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Literal, TypedDict

from openpptp.credentials import AuthMethod
from openpptp.daemon.client.profile import Profile
from openpptp.daemon.client.profile_call import BearerWord, FramingWord
from openpptp.daemon.client.profile_files import of_options
from openpptp.daemon.connect_request import ConnectRequest, EncryptionWord, KillSwitchWord, ReconnectWord, WhileDown
from openpptp.daemon.wishes import CarrierWord, DataPathWord
from openpptp.errors import SetupError


class ConnectOptions(TypedDict, total=False):
    """Each is a key of a profile (docs/profile.md), with the same default; those of [network] are for a host only."""

    port: int
    timeout: float
    "Seconds each address has to answer on TCP."
    local_address: str | IPv4Address
    phone_number: str
    subaddress: str
    bearer: BearerWord
    framing: FramingWord
    minimum_bps: int
    maximum_bps: int
    receive_window: int
    methods: Sequence[AuthMethod | Literal["MS-CHAPv2", "MS-CHAPv1", "CHAP-MD5", "PAP"]]
    encryption: EncryptionWord
    key_bits: Sequence[Literal[40, 56, 128]]
    stateful: bool
    mru: int
    echo_interval: float
    echo_failures: int
    control_echo_interval: float
    ipv6: bool
    reconnect: ReconnectWord
    longest_wait: float
    interface: str
    routes: Sequence[str | IPv4Network]
    default_route: bool
    dns: Sequence[str | IPv4Address]
    search: Sequence[str]
    while_down: WhileDown
    kill_switch: KillSwitchWord
    mark: int
    data_path: DataPathWord
    carrier: CarrierWord


RENAMED = {("reconnect", "when"): "reconnect"}
"Keys that say too little without their section."
ELSEWHERE = {"hosts", "user", "domain", "password", "password_file", "password_command", "password_shell"}
"Keys that are arguments of their own, or mean nothing to a program."


def places() -> dict[str, tuple[str, str]]:
    """Return where in a profile each option has its place."""
    found = {}
    for section, model in Profile.model_fields.items():
        assert model.annotation is not None
        for key in model.annotation.model_fields:
            if key not in ELSEWHERE:
                found[RENAMED.get((section, key), key)] = section, key
    return found


def request_of(
    host: str | Sequence[str], user: str, password: str, options: Mapping[str, Any], *, on_host: bool
) -> ConnectRequest:
    """Return what the client is to do; raise SetupError with one line per mistake."""
    hosts = [host] if isinstance(host, str) else list(host)
    sections: dict[str, dict[str, Any]] = {"server": {"hosts": hosts}, "auth": {"user": user, "password": password}}
    known = places()
    for name, value in options.items():
        if name not in known:
            raise SetupError(f"connect() has no option {name}; known are {', '.join(known)}", exit_code=2)
        section, key = known[name]
        sections.setdefault(section, {})[key] = value
    if not on_host:
        sections["network"] = _without_host(sections.get("network", {}))
    return of_options(sections).profile.request().with_password(password)


def _without_host(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return [network] where there is no host to set: the server's DNS is asked for, and told."""
    if given:
        names = " and ".join(given)
        raise SetupError(f"{names}: with ports of your own nothing of this host is set; leave it out", exit_code=2)
    return {"dns": ["server"]}
