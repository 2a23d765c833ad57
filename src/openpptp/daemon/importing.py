"""Somebody else's files -> Settings and a report: which reader a file needs, and what the whole comes to."""

import re
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from openpptp.backends.secrets_file import read as read_secrets
from openpptp.daemon.accel_conf import read_accel
from openpptp.daemon.config import Settings, contradictions
from openpptp.daemon.foreign_files import Resolve, read_text, resolve
from openpptp.daemon.import_report import Draft, Place, Verdict
from openpptp.daemon.import_users import report_secrets
from openpptp.daemon.mistakes import Mistake, mistakes_of
from openpptp.daemon.pppd_options import DIRECTORY, PppdOptions
from openpptp.daemon.pptpd_conf import KEYWORDS, read_pptpd
from openpptp.daemon.settings_text import settings_file
from openpptp.errors import SetupError

Kind = Literal["pptpd", "options", "secrets", "accel-ppp"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HINT = "; name the kind of file with --as"


def kind_of(path: Path) -> Kind:
    """Tell by name, then by contents, what kind of file it is; raise SetupError when neither says."""
    if path.name.endswith("secrets"):
        return "secrets"
    text = read_text(path)
    if re.search(r"^[ \t]*\[[\w-]+\]", text, re.MULTILINE):
        return "accel-ppp"
    first_words = {line.split()[0] for line in text.splitlines() if line.split() and not line.startswith("#")}
    if path.name.startswith("pptpd.conf") or first_words & (KEYWORDS - {"debug"}):
        return "pptpd"
    if "options" in path.name or path.parent.name in {"ppp", "peers"}:
        return "options"
    raise SetupError(f"{path}: neither its name nor its contents say what it is{HINT}", exit_code=2)


def read_foreign(
    path: Path, draft: Draft, kind: Kind | None = None, *, directory: Path = DIRECTORY, look_up: Resolve = resolve
) -> None:
    """Read one file into a draft; raise SetupError when it cannot be read."""
    match kind or kind_of(path):
        case "pptpd":
            read_pptpd(path, draft, directory=directory, look_up=look_up)
        case "accel-ppp":
            read_accel(path, draft)
        case "secrets":
            secrets = read_secrets(path)
            draft.tell(Place(path), "", Verdict.HONOURED, draft.set(Place(path), "users", "file", str(path)))
            name = draft.values.get(("server", "name"))
            report_secrets(draft, path, secrets, name)
        case "options":
            options = PppdOptions(draft, directory=directory, look_up=look_up)
            options.read(path)
            options.finish(Place(path))
            if options.name_place is not None:
                draft.set(options.name_place, "server", "name", options.name_candidates()[0])


def settings_of(draft: Draft, *, need_users: bool = True) -> Settings | None:
    """Return what the draft comes to; what contradicts itself is told in the draft, and None returned."""
    found: list[Mistake] = []
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(draft.nested())
    except ValidationError as error:
        found = mistakes_of(error, Settings)
    if settings is not None:
        found = list(contradictions(settings, need_users=need_users))
    for mistake in found:
        missing = ("network", "pool") not in draft.values and mistake.key in {"network", "network.pool"}
        words = "it names no addresses for clients (network.pool); import the file that does along with it"
        draft.tell(_place(draft, mistake), "", Verdict.UNREADABLE, words if missing else str(mistake))
    return None if found else settings


def load_pptpd(path: Path, *, directory: Path = DIRECTORY, look_up: Resolve = resolve) -> tuple[Settings, Draft]:
    """Read pptpd.conf for serving; raise SetupError with exit code 2 and a line for all that stands in the way.

    pptpd and pppd themselves end over what is unreadable in pptpd.conf or leads to no settings. An option nobody
    knows, or a bad line among the secrets, costs a warning only.
    """
    draft = Draft()
    read_pptpd(path, draft, directory=directory, look_up=look_up)
    settings = settings_of(draft)
    obstacles = [
        finding
        for finding in draft.findings
        if finding.verdict is Verdict.UNREADABLE and (settings is None or finding.place.file == path)
    ]
    if settings is None or obstacles:
        raise SetupError("\n".join(map(str, obstacles)), exit_code=2)
    return settings, draft


def toml(draft: Draft) -> str:
    """Return the settings file for a draft, each key explained."""
    return settings_file(draft.values)


def as_json(draft: Draft, settings: Settings | None) -> dict[str, Any]:
    """Return settings and report for JSON."""
    counts = draft.counts()
    return {
        "settings": draft.nested(),
        "complete": settings is not None,
        "report": [finding.as_json() for finding in draft.ordered()],
        "left_out": draft.left_out,
        "counts": {verdict.value: counts[verdict] for verdict in Verdict},
    }


def _place(draft: Draft, mistake: Mistake) -> Place:
    """Return where the value stands that a mistake is about."""
    for key in (mistake.key, *mistake.involves):
        section, _, name = key.partition(".")
        if (section, name) in draft.places:
            return draft.places[section, name]
    return Place(next((finding.place.file for finding in draft.findings), Path("settings")))
