"""What this machine can run.

A reason to skip starts with NOT_HERE when no installation could make the test run on this machine; with CI=true every
other skipped test counts as a failure (conftest.py).
"""

import os
import platform
import shutil
from pathlib import Path

import pytest

NOT_HERE = "not on this machine:"
REPOSITORY = Path(__file__).resolve().parents[1]
CAPTURES = Path(os.environ.get("OPENPPTP_CAPTURES", REPOSITORY.parent / "shared" / "captures"))


def as_nobody(*capabilities: str) -> tuple[str, ...]:
    """Return what to put before a command so that it runs as nobody, with these capabilities at most.

    It may read what root may: the checkout can lie where nobody else looks. Who is not root runs it as he is.
    """
    if os.geteuid() != 0:
        return ()
    need_programs("setpriv")
    kept = ",".join(f"+{each}" for each in ("dac_read_search", *capabilities))
    sets = [f"--{name}=-all,{kept}" for name in ("inh-caps", "ambient-caps", "bounding-set")]
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *sets)


def need_captures() -> Path:
    """Return the folder of captures; skip the test where there is none."""
    if not CAPTURES.is_dir():
        pytest.skip(f"{NOT_HERE} no captures; OPENPPTP_CAPTURES names their folder")
    return CAPTURES


def need_root() -> None:
    """Skip the test unless it may make namespaces, TUN devices and raw sockets."""
    if os.geteuid() != 0:
        pytest.skip(f"{NOT_HERE} root; run scripts/test with sudo")
    if not Path("/dev/net/tun").exists():
        pytest.skip(f"{NOT_HERE} /dev/net/tun")


def need_programs(*names: str) -> None:
    """Skip the test when a program is missing that scripts/install --test installs."""
    for name in names:
        if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            if name == "linux.uml" and platform.machine() != "x86_64":
                pytest.skip(f"{NOT_HERE} User-mode Linux, which is made for x86_64 only")
            pytest.skip(f"{name} is missing; scripts/install --test installs it")
