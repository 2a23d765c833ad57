"""The system service of a profile: its unit (systemd.service(5)), and what it tells the service manager."""

from collections.abc import Sequence

from openpptp.daemon.client.state import ClientState
from openpptp.net.notify import Notifier

NAME = "openpptp@.service"
TEXT = """\
# One tunnel of OpenPPTP: openpptp@office.service is the profile office of /etc/openpptp/profiles.
[Unit]
Description=OpenPPTP tunnel %i
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} connect --profile %i --keep-trying
# It keeps the note of what the client changed on the host, for the next start to undo if this one was killed.
RuntimeDirectory=openpptp-client
RuntimeDirectoryPreserve=yes
# The client connects again by itself. When it ends it has said why, and to repeat a refused password locks accounts.
Restart=on-failure
RestartPreventExitStatus=1 2 3
TimeoutStopSec=15
KillMode=mixed
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_DAC_OVERRIDE
NoNewPrivileges=yes
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
ProtectSystem=yes
ProtectHome=read-only
LimitCORE=0

[Install]
WantedBy=multi-user.target
"""


def template_unit(program: Sequence[str]) -> str:
    """Return the template unit's text; program is the command `openpptp`, its interpreter first if it needs one."""
    return TEXT.format(program=" ".join(_word(word) for word in program))


class ServiceManager:
    """An observer that tells the service manager; without one it says nothing.

    The service counts as started once the tunnel is up, or the first round of calls has failed and more will follow.
    """

    def __init__(self, notifier: Notifier) -> None:
        """Tell through notifier."""
        self._notifier = notifier

    def told(self, event: str, state: ClientState) -> None:
        """Pass on what an administrator wants to see in `systemctl status`."""
        match event:
            case "connected":
                self._notifier.ready(f"up: {state.address} at {state.server}, {state.encryption}")
            case "waiting":
                self._notifier.ready(f"down: {state.detail}")
            case "down":
                self._notifier.alive(f"down: {state.detail}")
            case "ended":
                self._notifier.stopping()


def _word(word: str) -> str:
    """Write a word as systemd reads it: % and $ stand for something, blanks and quotes need quoting."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if any(char in word for char in " \"'\\;") else plain
