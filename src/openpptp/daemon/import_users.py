"""The users of pppd's secrets files, as they are: which file, under which server name, and what each line is to us."""

import re
from pathlib import Path

from openpptp.backends.secrets_file import WILDCARD, ProblemKind, Secrets, read
from openpptp.daemon.import_report import Draft, Place, Verdict
from openpptp.daemon.pppd_options import PppdOptions
from openpptp.errors import SetupError

CRYPT = re.compile(r"\$[0-9a-z]{1,3}\$")
VERDICTS = {
    ProblemKind.LINE_LOST: Verdict.UNREADABLE,
    ProblemKind.EXPOSED: Verdict.DANGEROUS,
    ProblemKind.NOT_ALL: Verdict.IGNORED,
}


def read_users(draft: Draft, options: PppdOptions, place: Place) -> Secrets | None:
    """Set the secrets files and the name their server column is compared with; return chap-secrets when readable."""
    secrets = _read(options.chap_secrets, draft)
    candidates = options.name_candidates()
    name = _name(candidates, secrets)
    words = draft.set(options.name_place or place, "server", "name", name)
    if options.name_place is None:
        draft.tell(place, "", Verdict.HONOURED, f"{words}; no option says so, {_why(name, candidates)}")
    _take(draft, options.chap_secrets, secrets, name, "file")
    if options.uses_pap:
        pap = _read(options.pap_secrets, draft)
        _take(draft, options.pap_secrets, pap, name, "pap_file")
        for entry in pap.entries if pap is not None else ():
            if CRYPT.match(entry.secret):
                words = "the secret looks like a hash of crypt(3), which is not looked into: write the password itself"
                draft.tell(
                    Place(options.pap_secrets, entry.line), f"{entry.client} {entry.server}", Verdict.IGNORED, words
                )
    return secrets


def report_secrets(draft: Draft, path: Path, secrets: Secrets, name: str | None) -> None:
    """Tell of every line of a secrets file, never with its secret; name None: whatever the server is called."""
    silent = {problem.line for problem in secrets.problems if problem.kind is not ProblemKind.EXPOSED}
    for entry in secrets.entries:
        text = f"{entry.client} {entry.server} (secret not shown)"
        if name is not None and entry.server not in {name, WILDCARD}:
            words = f'it is for server "{entry.server}", and this one is "{name}"'
            draft.tell(Place(path, entry.line), text, Verdict.IGNORED, words)
        elif not entry.addresses.allows_none:
            who = "anybody who knows this secret" if entry.client == WILDCARD else f"user {entry.client}"
            held = f", with {entry.policy}" if str(entry.policy) else ""
            note = ", but see the next lines" if entry.line in silent else ""
            draft.tell(Place(path, entry.line), text, Verdict.HONOURED, f"{who} can log in{held}{note}")
    for problem in secrets.problems:
        draft.tell(Place(problem.file, problem.line), "", VERDICTS[problem.kind], problem.sentence)


def _read(path: Path, draft: Draft) -> Secrets | None:
    try:
        return read(path)
    except SetupError as error:
        if error.exit_code == 3:
            raise
        draft.tell(Place(path), "", Verdict.UNREADABLE, str(error))
        return None


def _take(draft: Draft, path: Path, secrets: Secrets | None, name: str, key: str) -> None:
    words = draft.set(Place(path), "users", key, str(path))
    if secrets is not None:
        draft.tell(Place(path), "", Verdict.HONOURED, words)
        report_secrets(draft, path, secrets, name)


def _name(candidates: tuple[str, ...], secrets: Secrets | None) -> str:
    """Choose the first name that a line of the file is for; the first of all when none is."""
    servers = {entry.server for entry in secrets.entries} if secrets is not None else set()
    return next((name for name in candidates if name in servers), candidates[0])


def _why(name: str, candidates: tuple[str, ...]) -> str:
    if name == candidates[0]:
        return "and pppd takes the host's name"
    return f"and no line of the secrets is for {candidates[0]}, the host's name that pppd would take"
