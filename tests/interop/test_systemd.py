"""systemd itself runs the service, in a User-mode Linux guest of its own: install, reload, kill -9, remove.

The guest's kernel has no nftables for both families, so there is no NAT in it.
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from tests.interop.guest import MODULES
from tests.machine import REPOSITORY, need_programs
from tests.netns.programs import OPENPPTP, write_settings

pytestmark = pytest.mark.interop

INIT = Path(__file__).with_name("systemd-init")
JOB = r"""
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONPATH={source}
openpptp() {{ {openpptp} "$@"; code=$?; echo "openpptp $1 $2: $code"; return $code; }}
mkdir /run/systemd/system.conf.d
printf '[Manager]\nDefaultEnvironment=PYTHONPATH={source}\n' >/run/systemd/system.conf.d/path.conf
systemctl daemon-reexec
mkdir /run/test; cp {folder}/chap-secrets {folder}/openpptp.toml /run/test; chmod 600 /run/test/chap-secrets
sed -i s,{folder}/,/run/test/, /run/test/openpptp.toml
find /etc /var/lib /run/openpptp 2>/dev/null | sort >/run/test/before
openpptp service install --config /run/test/openpptp.toml || exit
pid=$(systemctl show -P MainPID openpptp)
grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/$pid/status
systemctl reload openpptp; echo "reload: $?"
kill -9 "$pid"
for _ in $(seq 100); do
  sleep 0.1; now=$(systemctl show -P MainPID openpptp)
  case $(systemctl is-active openpptp),$now in active,$pid | active,0) ;; active,*) break ;; esac
done
openpptp service status
sysctl net.ipv4.ip_forward
openpptp service remove
sysctl net.ipv4.ip_forward
find /etc /var/lib /run/openpptp 2>/dev/null | sort | diff /run/test/before - && echo "as before"
"""
TIMEOUT = 180  # seconds; it takes some 40 on two processors


@pytest.fixture
def run_job(tmp_path):
    """Return a function that runs a shell script under systemd in a guest, and returns what it wrote."""
    need_programs("linux.uml", "systemd-analyze")
    if not Path("/lib/systemd/systemd").exists():
        pytest.skip("systemd is missing; scripts/install --test installs it")
    shared = tmp_path / "guest"

    def run(job: str) -> str:
        (shared / "modules" / "lib").mkdir(parents=True)
        (shared / "modules" / "lib" / "modules").symlink_to(MODULES)
        shutil.copy(INIT, shared / "init")
        (shared / "job").write_text(job)
        arguments = [
            *("linux.uml", "mem=384M", "umid=systemd", f"uml_dir={shared}/uml"),
            *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={shared}/init"),
            *(f"guest_shared={shared}", f"guest_modules={shared}/modules", "con=null", "con0=fd:0,fd:1"),
        ]
        console = shared / "console.log"
        with console.open("wb") as log:
            guest = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"TMPDIR": str(shared)},
            )
            try:
                guest.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(guest.pid, signal.SIGKILL)
                guest.wait()
        out = shared / "out"
        said = out.read_text(errors="replace") if out.exists() else ""
        return f"{said}\n--- console:\n{console.read_text(errors='replace')[-3000:]}"

    return run


class SystemdTests:
    """S20, S21: the service comes, serves, comes back, and goes without a trace."""

    def test_from_install_to_remove(self, run_job, tmp_path):
        folder = tmp_path / "settings"
        folder.mkdir()
        write_settings(folder, network={"nat": False, "mss_clamp": False})
        said = run_job(JOB.format(openpptp=" ".join(OPENPPTP), source=REPOSITORY / "src", folder=folder))
        assert "openpptp service install: 0" in said, said
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "reload: 0", "openpptp service status: 0", "as before"):
            assert line in said, said
        (bounds,) = re.findall(r"^CapBnd:\t(\w+)$", said, re.MULTILINE)
        # chown, dac_override, fowner, kill, setgid, setuid, setpcap, net_admin, net_raw
        assert int(bounds, 16) & ~0x31EB == 0, said
        assert "restarted 1 times by systemd" in said, said
        assert re.findall(r"ip_forward = (\d)", said) == ["1", "0"], said
        assert "openpptp service remove: 0" in said, said
