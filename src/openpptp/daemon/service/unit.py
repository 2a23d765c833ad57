"""The unit of the service, as text: what systemd.unit(5), systemd.service(5) and systemd.exec(5) make of our settings.

Hooks run inside the same unit. Where the settings name some, what would take from them what pppd gave them is left out.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from openpptp.daemon.config import Settings
from openpptp.daemon.service.source import Source
from openpptp.errors import SetupError

NAME = "openpptp.service"
MARK = "# Written by `openpptp service install`"
STATE_DIRECTORY = Path("/var/lib/openpptp")
RUN = Path("/run")
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"What ProtectHome= hides."
FIRST_FREE_PORT = 1024  # ip(7): a lower one needs CAP_NET_BIND_SERVICE
STEPS_SINCE = 254  # systemd's version that knows RestartSteps=

CAPABILITIES = (
    *("CAP_NET_ADMIN", "CAP_NET_RAW"),  # device, addresses, routes, rules; GRE
    *("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"),  # to give up root
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"),  # files that belong to whoever served before
    "CAP_KILL",  # hooks that do not end
)

BY_SIGNAL = """/bin/sh -c 'kill -HUP "$$MAINPID"'"""

BEGINNING = """\
{mark}; `openpptp service remove` takes it away.
# Do not edit it: write what you want changed into a drop-in (systemctl edit {name}).
[Unit]
Description=OpenPPTP, a PPTP server
# Rules of others first, so that the server sees them, and says what they do to it.
After=network-online.target nftables.service firewalld.service ufw.service docker.service
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=30

[Service]
Type=notify
NotifyAccess=main
ExecStart={start}
ExecReload={reload}
# Only the server is asked to end; it ends its hooks, and what of them is left then is killed.
KillMode=mixed
TimeoutStartSec=60
TimeoutStopSec=20
WatchdogSec=60
Restart=on-failure
RestartSec=500ms
"""

LIMITS = """\
OOMPolicy=continue
LimitNOFILE=131072
LimitCORE=0
"""

DIRECTORIES = """\
# It keeps the note of what the server changed on the host, for the next start to undo if this one was killed.
RuntimeDirectoryPreserve=yes
StateDirectory=openpptp
# An error nobody expected is told in full: /tmp, where it is written otherwise, ends with the service.
Environment=OPENPPTP_DEBUG=1
"""

CONFINEMENT = """\
NoNewPrivileges=yes
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# ProtectKernelTunables= is left out: the server switches net.ipv4.ip_forward on, and off at its end.
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
"""

WITHOUT_HOOKS = """\
ProtectSystem=strict
PrivateTmp=yes
MemoryDenyWriteExecute=yes
"""

WITH_HOOKS = """\
# Hooks are configured: they see /tmp, and may write to /etc and /var, as under pppd.
ProtectSystem=yes
"""

END = """
[Install]
WantedBy=multi-user.target
"""


def unit(source: Source, settings: Settings, program: tuple[str, ...], *, systemd: int) -> str:
    """Return the unit's text.

    program is the command `openpptp`, its interpreter first where it needs one; systemd is the version on this machine.
    Raises SetupError for a path no unit can name.
    """
    return "".join(_parts(source, settings, program, systemd))


def _parts(source: Source, settings: Settings, program: tuple[str, ...], systemd: int) -> Iterator[str]:
    yield BEGINNING.format(
        mark=MARK,
        name=NAME,
        start=command_line(*program, "serve", source.option, str(source.path)),
        # pptpd's files do not say where our socket is. A signal needs none, but what came of it is in the log only.
        reload=BY_SIGNAL if source.pptpd else command_line(*program, "reload", "--config", str(source.path)),
    )
    if systemd >= STEPS_SINCE:
        yield "RestartSteps=8\nRestartMaxDelaySec=60\n"
    yield LIMITS
    run = settings.server.runtime_directory
    if _below(run, RUN) and run != RUN:
        yield f"RuntimeDirectory={_quoted(str(run.relative_to(RUN)))}\n"
    yield DIRECTORIES
    capabilities = [*CAPABILITIES, *(["CAP_NET_BIND_SERVICE"] if settings.server.port < FIRST_FREE_PORT else [])]
    yield f"CapabilityBoundingSet={' '.join(capabilities)}\n"
    yield CONFINEMENT
    at_home = any(_below(Path(part), home) for part in (*program, str(source.path)) for home in HOMES)
    yield f"ProtectHome={'read-only' if at_home or settings.hooks.wanted else 'yes'}\n"
    if settings.hooks.wanted:
        yield WITH_HOOKS
    else:
        yield WITHOUT_HOOKS
        yield from (f"ReadWritePaths={_quoted(f'-{path}')}\n" for path in written(settings))
    yield END


def written(settings: Settings) -> list[Path]:
    """Return the directories the settings let the server write to, but for the two every unit has."""
    run, files = settings.server.runtime_directory, [settings.users.store]
    if settings.accounting.on:
        files.append(settings.accounting.file)
    places = [file.parent for file in files if not _below(file, STATE_DIRECTORY)]
    return list(dict.fromkeys([*places, *([] if _below(run, RUN) else [run])]))


def is_ours(text: str) -> bool:
    """Tell whether a unit was written by us."""
    return text.startswith(MARK)


def commands(text: str) -> dict[str, str]:
    """Return the Exec lines of a unit by their keys."""
    return dict(re.findall(r"^(Exec\w+)=(.*)$", text, re.MULTILINE))


def command_line(*words: str) -> str:
    """Write a command as ExecStart= takes it."""
    # Variables are replaced in the arguments only (systemd.service(5), Command lines).
    return " ".join([_quoted(words[0]), *(_quoted(word).replace("$", "$$") for word in words[1:])])


def _quoted(word: str) -> str:
    """Write one word so that systemd reads it as it is (systemd.syntax(7), specifiers of systemd.unit(5))."""
    if not word.isprintable():
        raise SetupError(f"{word!r} holds a character that a unit cannot name; choose another path", exit_code=2)
    word = word.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=:,./$-]+", word, re.ASCII):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _below(path: Path, directory: Path) -> bool:
    return path.is_absolute() and path.is_relative_to(directory)
