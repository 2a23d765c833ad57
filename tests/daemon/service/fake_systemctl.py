"""A machine below a folder, with a systemctl that writes down what it is told and remembers what it would be."""

import shlex
from pathlib import Path

from openpptp.daemon.service.machine import Machine

PROGRAM = """#!/bin/sh
cd {folder} || exit 2
verb=$1
is() {{ if [ -e "$1" ]; then echo "$2"; else echo "$3"; fi; }}
case $verb in
--version) echo "systemd 252 (252.38-1~deb12u1)"; exit ;;
show)
  unit=etc/systemd/system/openpptp.service
  echo "LoadState=$(is $unit loaded not-found)"
  echo "ActiveState=$(is failed failed "$(is active active inactive)")"
  echo "SubState=$(is active running dead)"
  echo "UnitFileState=$(is $unit "$(is enabled enabled disabled)")"
  echo "MainPID=$(is active 4711 0)"
  echo "FragmentPath=$(is $unit /$unit)"
  echo "StatusText=$(is failed "TCP port 1723 is taken")"
  exit ;;
esac
echo "$*" >>calls
if [ -e "broken-$verb" ]; then
  if [ "$verb" = start ]; then touch failed; fi
  echo "Job for openpptp.service failed." >&2
  exit 1
fi
case $verb in
enable) touch enabled ;;
start) touch active ;;
disable) rm -f enabled ;;
stop) rm -f active ;;
reset-failed) rm -f failed ;;
esac
"""


class FakeMachine:
    """What a test looks at."""

    def __init__(self, folder: Path, *, booted: bool = True) -> None:
        self.root = folder
        (folder / "etc/systemd/system").mkdir(parents=True)
        if booted:
            (folder / "run/systemd/system").mkdir(parents=True)
        systemctl = folder / "systemctl"
        systemctl.write_text(PROGRAM.format(folder=shlex.quote(str(folder))))
        systemctl.chmod(0o755)
        self.machine = Machine(folder, str(systemctl))
        self.unit = self.machine.systemd.unit_file
        self.record = folder / "etc/openpptp/service.json"

    def calls(self) -> list[str]:
        """Return the changes asked of systemctl so far."""
        calls = self.root / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def breaks(self, verb: str) -> None:
        """Let systemctl fail at a verb from now on."""
        (self.root / f"broken-{verb}").touch()

    def files(self) -> set[str]:
        """Return everything in it but what is systemctl's own."""
        own = {"calls", "systemctl"}
        paths = (path for path in self.root.rglob("*") if path.name not in own and "broken-" not in path.name)
        return {str(path.relative_to(self.root)) for path in paths}
