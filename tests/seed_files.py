"""The files of the second seed document, as written there, trailing blanks and all."""

import shutil
from pathlib import Path

from tests.machine import REPOSITORY

FOLDER = REPOSITORY / "tests" / "vectors" / "second-seed"


def lay_out(etc: Path) -> Path:
    """Put the files where the document puts them, below etc; return the pptpd.conf."""
    (etc / "ppp").mkdir(parents=True)
    shutil.copyfile(FOLDER / "pptpd.conf", etc / "pptpd.conf")
    for name in ("chap-secrets", "pptpd-options"):
        shutil.copyfile(FOLDER / name, etc / "ppp" / name)
    (etc / "ppp" / "chap-secrets").chmod(0o600)
    return etc / "pptpd.conf"
