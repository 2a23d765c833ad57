"""How to start the server where there is no systemd: the very lines for the other service managers."""

import shlex
from pathlib import Path

from openpptp.daemon.service.source import Source

OPENRC = """\
#!/sbin/openrc-run
command={program}
command_args={arguments}
command_background=true
pidfile=/run/openpptp.pid
depend() {{ need net; after firewall; }}
"""
RUNIT = """\
#!/bin/sh
exec {command} 2>&1
"""


def ways(source: Source, program: tuple[str, ...], root: Path = Path("/")) -> list[tuple[str, str]]:
    """Return each other way with its lines for a root shell; the one this machine seems to have comes first."""
    words = [*program, "serve", source.option, str(source.path)]
    command = shlex.join(words)
    openrc = OPENRC.format(program=shlex.quote(words[0]), arguments=shlex.quote(shlex.join(words[1:])))
    found = {
        "sysvinit": f"echo {shlex.quote(f'pptp:2345:respawn:{command}')} >>/etc/inittab && telinit q",
        "OpenRC": f"printf %s {shlex.quote(openrc)} >/etc/init.d/openpptp && chmod 755 /etc/init.d/openpptp && "
        "rc-update add openpptp default && rc-service openpptp start",
        "runit": f"mkdir -p /etc/sv/openpptp && printf %s {shlex.quote(RUNIT.format(command=command))} "
        ">/etc/sv/openpptp/run && chmod 755 /etc/sv/openpptp/run && ln -s /etc/sv/openpptp /etc/service/",
        "cron": f"(crontab -l; echo {shlex.quote(f'@reboot {command} 2>&1 | logger -t openpptp')}) | crontab -",
        "container, or by hand": f"exec {command}",
    }
    signs = {"OpenRC": "run/openrc", "runit": "run/runit", "sysvinit": "etc/inittab"}
    here = [name for name, sign in signs.items() if (root / sign).exists()]
    return sorted(found.items(), key=lambda way: way[0] not in here)
