"""What `openpptp export` gives for one client: lines to paste, and the same as one file that explains itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from openpptp.credentials import AuthMethod
from openpptp.daemon.export.access import Access, Terms


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of one client."""

    paste: tuple[str, ...]
    "The fewest lines that set it up and connect."
    file: str
    "The settings as a file; where and how it is used, and undone, stands in its comments."
    path: str = ""
    "Where the file belongs; empty: nowhere, it is run once."


def comment(*lines: str) -> str:
    """Return lines as comments; all the languages written here begin one with #."""
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def commands(lines: Iterable[str]) -> tuple[str, ...]:
    """Return commands as they are set off in comments."""
    return tuple(f"  {line}" for line in lines)


def weaknesses(terms: Terms) -> tuple[str, ...]:
    """Say what of the server's settings leaves this client unprotected."""
    said = []
    if terms.key_bits is None:
        said.append("Nothing is encrypted: the server's settings leave this client no other way.")
    elif terms.key_bits < 128:
        said.append(f"{terms.key_bits} bit protect against nobody; the server's settings leave this client no better.")
    if terms.method is AuthMethod.PAP:
        said.append("The password crosses the network in clear text (PAP).")
    return tuple(said)


def routing(access: Access, by_itself: str) -> str:
    """Say what goes through the tunnel; by_itself is what the client does when nothing is said."""
    if access.default_route:
        return "Everything goes through the tunnel."
    if access.routes:
        return f"Through the tunnel go {', '.join(map(str, access.routes))} and nothing else."
    return by_itself
