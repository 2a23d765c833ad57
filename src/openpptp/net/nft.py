"""The program nft: run, and asked in JSON; its errors become ours."""

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from openpptp.errors import SetupError

PATIENCE = 20.0  # ours: nft takes milliseconds; this only keeps a hung one from hanging us

Json = dict[str, Any]


class Nft:
    """One program; every call takes some 20 ms and blocks."""

    def __init__(self, program: str = "nft") -> None:
        """Name the program to run."""
        self._program = program

    def ask(self, *arguments: str) -> Json:
        """Return nft's answer in JSON."""
        try:
            answer: Json = json.loads(self.run("-j", *arguments) or "{}")
        except ValueError as error:
            message = "this nft does not speak JSON; install nftables 0.9.3 or newer"
            raise SetupError(message, exit_code=3) from error
        return answer

    def run(self, *arguments: str, transaction: str = "") -> str:
        """Return what it prints; raise SetupError in words when it fails."""
        try:
            done = run_program([self._program, *arguments], transaction)
        except (FileNotFoundError, PermissionError) as error:  # the latter when a folder of PATH may not be read
            message = "the program nft is missing, which sets up the firewall; install the package nftables"
            raise SetupError(message, exit_code=3) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetupError(f"the program nft did not run: {error}", exit_code=3) from error
        if done.returncode != 0:
            raise _explain(done.stderr or done.stdout)
        return done.stdout


def run_program(command: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of the system, in English and without a shell; raises OSError or TimeoutExpired."""
    # An administrator's shell need not have /usr/sbin in its path.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return subprocess.run(  # noqa: S603 - arguments are ours, no shell
        command,
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={"PATH": path, "LC_ALL": "C"},
    )


def _explain(output: str) -> SetupError:
    words = " ".join(output.split())
    if "Operation not permitted" in words or "must be root" in words:
        message = "this process may not change the firewall; run as root or grant CAP_NET_ADMIN"
        return SetupError(message, exit_code=3)
    if "JSON support not compiled-in" in words or "invalid option" in words:
        return SetupError("this nft does not speak JSON; install nftables 0.9.3 or newer", exit_code=3)
    if "not supported" in words:
        message = f"this kernel lacks a part of nftables that our rules need (nf_tables, nft_masq, nft_rt): {words}"
        return SetupError(message, exit_code=3)
    return SetupError(f"nft refused our rules: {words}")
