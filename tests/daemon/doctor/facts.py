"""Facts of a machine on which all is well, for tests to spoil one at a time."""

from dataclasses import replace
from pathlib import Path

from openpptp.daemon.config import Settings
from openpptp.daemon.doctor.facts import Facts, HostFacts, Process, Users
from openpptp.daemon.host_piece import Condition
from openpptp.daemon.service.source import Source
from openpptp.net.leftovers import Runtime
from openpptp.net.listeners import Listener

NET_ADMIN_AND_RAW = 3 << 12
SECRETS = Path("/etc/openpptp/chap-secrets")

HOST = HostFacts(
    settings=Settings.model_validate({"network": {"pool": ["10.9.0.0/24"]}}),
    users=Users(2, [], [SECRETS]),
    runtime=Runtime(4711, 5),
    listeners=[Listener(1723, 4711, "openpptp")],
    gre_sockets=1,
    pieces=[Condition("routes", "present", "10.9.0.0/24 through pptp0")],
    reverse_path={"all": 0, "pptp0": 0},
    free=1 << 40,
)
WELL = Facts(
    source=Source(),
    host=HOST,
    root=True,
    now=2e9,
    installed_at=1.9e9,
    python=(3, 11),
    engine_lacks="",
    tun_lacks="",
    helper=False,
    server={"process": 4711, "sessions": 3},
    service=[],
    process_is=Process("openpptp", NET_ADMIN_AND_RAW),
)


def facts(*, host: object = None, **changes: object) -> Facts:
    """Return the facts with changes; host is a dict of changes of the host's, or what stands in its place."""
    if isinstance(host, dict):
        changes["host"] = replace(HOST, **host)
    elif host is not None:
        changes["host"] = host
    return replace(WELL, **changes)
