"""A server that runs from the second seed's files, in a namespace, with an /etc of its own."""

import shutil
from pathlib import Path

from tests.netns.namespace import Namespace
from tests.netns.programs import OPENPPTP, Program, start
from tests.seed_files import lay_out

USER, PASSWORD = "testvpn1", "test123"
SERVER_INSIDE = "192.168.10.1"
NEEDED = ("group", "hosts", "iproute2", "ld.so.cache", "nsswitch.conf", "passwd")
"What the programs look for in /etc besides the seed's files."


def lay_out_etc(folder: Path) -> Path:
    """Return an /etc with the seed's files, as the document leaves it."""
    etc = folder / "etc"
    lay_out(etc)
    for name in NEEDED:
        if Path("/etc", name).exists():
            (shutil.copytree if Path("/etc", name).is_dir() else shutil.copyfile)(Path("/etc", name), etc / name)
    return etc


def start_drop_in(namespace: Namespace, folder: Path, etc: Path) -> Program:
    """Start a server that sees etc as its /etc, and a /var/lib of its own."""
    (folder / "lib").mkdir(parents=True, exist_ok=True)
    before = f"mount --bind {etc} /etc; mount --bind {folder / 'lib'} /var/lib;"
    return start(namespace, folder, *OPENPPTP, "serve", "--pptpd-conf", "/etc/pptpd.conf", before=before)
