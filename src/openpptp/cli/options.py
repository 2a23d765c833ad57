"""What several commands share: where settings are, and where a password comes from."""

import os
import sys
from pathlib import Path
from typing import get_args

import click

from openpptp.crypto import MAX_PASSWORD
from openpptp.daemon.wishes import CarrierWord, DataPathWord
from openpptp.errors import SetupError

DEFAULT_CONFIG = Path("/etc/openpptp/openpptp.toml")
PASSWORD_VARIABLE = "OPENPPTP_PASSWORD"  # noqa: S105 - the variable's name

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CONFIG,
    show_default=True,
    metavar="FILE",
    help="Settings file.",
)
pptpd_conf_option = click.option(
    "--pptpd-conf",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Take the settings from pptpd's file, and from pppd's files it leads to, as they are.",
)
password_file_option = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="File whose first line is the password; - reads standard input.",
)
data_path_option = click.option(
    "--data-path",
    type=click.Choice(get_args(DataPathWord)),
    help="What carries data packets: the native engine, or the reference in Python.  [default: auto]",
)
carrier_option = click.option(
    "--carrier",
    type=click.Choice(get_args(CarrierWord)),
    help="How the engine exchanges GRE: raw socket only, or packet rings where devices allow it.  [default: auto]",
)


def read_password(file: Path | None, prompt: str, *, confirm: bool = False) -> str:
    """Return the password from file, the environment or a prompt; never from the command line, which all users see.

    Raises SetupError with exit code 2 when there is none or it cannot be one.
    """
    if file is not None:
        password = _first_line(file)
    elif PASSWORD_VARIABLE in os.environ:
        password = os.environ.pop(PASSWORD_VARIABLE)  # or every program we start would be told
    elif sys.stdin.isatty():
        password = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    else:
        raise SetupError(
            f"there is no password and no terminal to ask at; use --password-file or set {PASSWORD_VARIABLE}",
            exit_code=2,
        )
    return check_password(password)


def check_password(password: str) -> str:
    """Return a password both ends can use; raise SetupError with exit code 2 otherwise."""
    if not password:
        raise SetupError("the password is empty; choose one, or let --generate make one", exit_code=2)
    if len(password) > MAX_PASSWORD:
        raise SetupError(f"the password has more than {MAX_PASSWORD} characters; choose a shorter one", exit_code=2)
    if not password.isprintable():
        raise SetupError("the password contains a control character; choose one without", exit_code=2)
    return password


def _first_line(file: Path) -> str:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SetupError(f"{file}: there is no such file; name the file that holds the password", exit_code=2) from None
    except UnicodeDecodeError:
        raise SetupError(f"{file}: is not UTF-8 text; save the password as UTF-8", exit_code=2) from None
    except PermissionError:
        raise SetupError(f"{file}: may not be read by this user; run as its owner or as root", exit_code=3) from None
    except OSError as error:
        raise SetupError(f"{file}: cannot be read: {error.strerror}", exit_code=2) from None
    return text.split("\n", 1)[0].removesuffix("\r")
