"""The password from a command, as a keyring's: no shell unless asked for, bounded in time and length."""

import os
import select
import shlex
import subprocess
import time
from collections.abc import Sequence

from openpptp.daemon.client.caller import environment, identity
from openpptp.daemon.client.profile_files import Account
from openpptp.errors import SetupError

PATIENCE = 60.0  # ours: seconds; a keyring may ask its owner to unlock it
LONGEST = 4096  # ours: octets of output; a password is far shorter


def from_command(command: str, *, shell: bool = False, run_as: Account | None = None) -> str:
    """Run a command and return the first line it prints; raise SetupError in words when there is none.

    run_as: whom it runs as when we are root; a keyring belongs to its user's session.
    """
    words = ["/bin/sh", "-c", command] if shell else shlex.split(command)
    try:
        output = _output(words, run_as)
    except FileNotFoundError:
        raise SetupError(f"the password command {words[0]} is not there; check its name", exit_code=2) from None
    except subprocess.TimeoutExpired:
        raise SetupError(f"the password command {words[0]} printed nothing within {PATIENCE:g} seconds") from None
    except OSError as error:
        raise SetupError(f"the password command {words[0]} cannot be run: {error.strerror}", exit_code=2) from None
    try:
        return output.split(b"\n", 1)[0].removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise SetupError(f"what the password command {words[0]} prints is not UTF-8 text") from None


def _output(words: Sequence[str], run_as: Account | None) -> bytes:
    process = subprocess.Popen(  # noqa: S603 - the command is its owner's own
        words,
        stdout=subprocess.PIPE,  # its standard input stays the terminal: it may have to ask
        env=environment(run_as),
        **identity(run_as),
    )
    until = time.monotonic() + PATIENCE
    assert process.stdout is not None
    with process.stdout as pipe:
        try:
            output = _read(pipe.fileno(), words, until)
            process.wait(max(0.0, until - time.monotonic()))
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode != 0:
        raise SetupError(f"the password command {words[0]} ended with exit code {process.returncode}")
    return output


def _read(pipe: int, words: Sequence[str], until: float) -> bytes:
    """Read to the end; what a child of the command keeps open for longer, or fills without end, is left."""
    output = b""
    while len(output) <= LONGEST:
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise subprocess.TimeoutExpired(list(words), PATIENCE)
        octets = os.read(pipe, LONGEST)
        if not octets:
            return output
        output += octets
    raise SetupError(f"the password command {words[0]} printed more than {LONGEST} octets")
