"""Where profiles lie, how they are read with their mistakes named, and how they are written."""

import contextlib
import os
import pwd
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from openpptp.daemon.client.profile import Profile
from openpptp.daemon.config import parse_toml, read_text
from openpptp.daemon.mistakes import Mistake, line_of, mistakes_of
from openpptp.daemon.settings_text import Values, sections_file
from openpptp.errors import SetupError

SYSTEM = Path("/etc/openpptp/profiles")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
OTHERS = stat.S_IRWXG | stat.S_IRWXO
Sections = Mapping[str, Mapping[str, Any]]
"Section to key to value."


class Account(NamedTuple):
    """The person who started us: under sudo the one who called it, not root."""

    name: str
    uid: int
    gid: int
    home: Path


@dataclass(frozen=True, slots=True)
class Found:
    """A profile that was read."""

    name: str | None
    "None: made of options alone."
    path: Path | None
    profile: Profile
    system: bool
    "Whether it is this machine's, not a user's."


def account(environment: Mapping[str, str] = os.environ) -> Account:
    """Return who started us."""
    name = environment.get("SUDO_USER", "")
    if os.geteuid() == 0 and name:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir))
    home = Path(environment["HOME"]) if "HOME" in environment else None
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:  # a container's number without a name
        return Account(str(os.geteuid()), os.geteuid(), os.getegid(), home or Path("/"))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, home or Path(entry.pw_dir))


def directories(environment: Mapping[str, str] = os.environ) -> tuple[Path, Path]:
    """Return the user's directory of profiles and the system's, in the order of looking."""
    mine = account(environment).home / ".config"
    if "SUDO_USER" not in environment and environment.get("XDG_CONFIG_HOME"):
        mine = Path(environment["XDG_CONFIG_HOME"])
    return mine / "openpptp", SYSTEM


def find(name: str) -> Path | None:
    """Return the file of a profile; None when there is none of that name."""
    if not NAME.fullmatch(name):
        return None
    return next((path for path in (each / f"{name}.toml" for each in directories()) if path.is_file()), None)


def every() -> Iterator[tuple[str, Path]]:
    """Yield each profile's name and file; a user's hides the system's of the same name."""
    seen: set[str] = set()
    for directory in directories():
        with contextlib.suppress(OSError):
            for path in sorted(directory.glob("*.toml")):
                if path.stem not in seen and NAME.fullmatch(path.stem):
                    seen.add(path.stem)
                    yield path.stem, path


def load(name: str, options: Sections | None = None) -> Found:
    """Read a profile and lay options over it; raise SetupError with a line for each mistake."""
    path = find(name)
    if path is None:
        where = " or ".join(str(each) for each in directories())
        raise SetupError(
            f"there is no profile {name} in {where}; list them with: openpptp profile list, "
            f"or name a server and a user: openpptp connect {name} --user NAME",
            exit_code=2,
        )
    text = read_text(path, "there is no such profile")
    raw = parse_toml(path, text)
    if isinstance(raw.get("auth"), dict) and "password" in raw["auth"]:
        _check_private(path)
    try:
        Profile.model_validate(raw)
        return Found(name, path, Profile.model_validate(_laid_over(raw, options or {})), path.parent == SYSTEM)
    except ValidationError as error:
        found = [_without_secret(mistake) for mistake in mistakes_of(error, Profile)]
        lines = "\n".join(f"{path}{line_of(text, mistake.key)}: {mistake}" for mistake in found)
        raise SetupError(lines, exit_code=2) from None


def of_options(options: Sections) -> Found:
    """Return a profile that is made of options alone; raise SetupError with a line for each mistake."""
    try:
        return Found(None, None, Profile.model_validate(options), system=False)
    except ValidationError as error:
        lines = "\n".join(str(_without_secret(mistake)) for mistake in mistakes_of(error, Profile))
        raise SetupError(lines, exit_code=2) from None


def save(name: str, options: Sections, *, system: bool, force: bool = False) -> Path:
    """Write a profile in which every key is explained; return its file. Raises SetupError in words."""
    if not NAME.fullmatch(name):
        raise SetupError(f'"{name}" cannot name a profile; use letters, digits, "-", "_", "." or "@"', exit_code=2)
    of_options(options)
    directory = SYSTEM if system else directories()[0]
    path = directory / f"{name}.toml"
    if path.exists() and not force:
        raise SetupError(f"{path} is there already; change it with an editor, or replace it with --force")
    values: Values = {(section, key): value for section, keys in options.items() for key, value in keys.items()}
    text = (
        f"# Profile of OpenPPTP: sudo openpptp connect {name}\n"
        "# A line that begins with # is a comment: remove the # to set something else.\n"
        + sections_file(Profile, values)
    )
    try:
        with _acting_for(directory):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            draft = path.with_name(f".{name}.new")
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            draft.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None
    return path


def remove(name: str) -> Path:
    """Remove a profile; return the file that it was. Raises SetupError in words."""
    path = find(name)
    if path is None:
        raise SetupError(f"there is no profile {name}; list them with: openpptp profile list")
    try:
        with _acting_for(path.parent):
            path.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None
    return path


def _laid_over(raw: dict[str, Any], options: Sections) -> dict[str, Any]:
    result = {section: dict(keys) for section, keys in raw.items()}
    for section, keys in options.items():
        if section == "auth" and any(key.startswith("password") for key in keys):
            # Another source of the password on the command line stands in for the profile's.
            for key in ("password", "password_file", "password_command"):
                result.get("auth", {}).pop(key, None)
        result.setdefault(section, {}).update(keys)
    return result


def _without_secret(mistake: Mistake) -> Mistake:
    """Leave out what was written there where it is a password, or says nothing."""
    return replace(mistake, got="") if mistake.key == "auth.password" or mistake.got == "a section" else mistake


def _check_private(path: Path) -> None:
    about = path.stat()
    if about.st_mode & OTHERS:
        sentence = f"{path} holds a password and others may read it; close it with: chmod 600 {path}"
        raise SetupError(sentence, exit_code=2)


@contextlib.contextmanager
def _acting_for(directory: Path) -> Iterator[None]:
    """Act as the user whose profiles these are, when we are root: a link laid there leads no further than the user."""
    user = account()
    if os.geteuid() != 0 or directory == SYSTEM or user.uid == 0:
        yield
        return
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def _unwritable(path: Path, error: OSError) -> SetupError:
    exit_code = 3 if isinstance(error, PermissionError) else 1
    sentence = f"cannot change {path}: {error.strerror}; run as its owner, or as root (sudo)"
    return SetupError(sentence, exit_code=exit_code)
