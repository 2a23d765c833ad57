"""What the server and its monitor say to each other: one JSON object in each packet of a socket pair.

The monitor reads with suspicion: whoever breaks into the server can send it whatever he likes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpptp.daemon.hook_programs import ENVIRONMENT, HookEvent, HookJob

LONGEST = 64 * 1024  # ours: octets of one packet
MOST_ARGUMENTS = 8  # ours: pppd gives its scripts six
LONGEST_WORD = (
    8192  # ours: octets of one argument or variable; a CHAP name fills a packet, and each octet may be escaped
)
LARGEST_NUMBER = 1 << 53


class BadRequest(Exception):
    """A packet no server of ours sends."""


@dataclass(frozen=True, slots=True)
class Open:
    """Open a file for reading, and send the descriptor."""

    path: Path


@dataclass(frozen=True, slots=True)
class Look:
    """Say when a file was changed last, its inode and its size."""

    path: Path


@dataclass(frozen=True, slots=True)
class Reread:
    """Read the settings again, and send them in a file."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run the programs of an event."""

    job: HookJob


@dataclass(frozen=True, slots=True)
class EndHooks:
    """End the programs that run, and run no more."""


@dataclass(frozen=True, slots=True)
class Regroup:
    """Give the API's socket to the group in the settings that were read last."""


Request = Open | Look | Reread | Run | EndHooks | Regroup


def write_request(number: int, request: Request) -> bytes:
    """Return the packet for a request; number comes back with each answer to it."""
    match request:
        case Open(path) | Look(path):
            more: dict[str, Any] = {"path": str(path)}
        case Run(job):
            more = {
                "event": job.event.value,
                "arguments": list(job.arguments),
                "environment": {name: value for name, value in job.environment.items() if name in ENVIRONMENT},
            }
        case _:
            more = {}
    return write({"number": number, "ask": type(request).__name__} | more)


def read_request(octets: bytes) -> tuple[int, Request]:
    """Return a request and its number; raise BadRequest for anything but what write_request writes."""
    match read(octets):
        case {"number": int(number), "ask": "Open", "path": str(path), **rest} if not rest:
            return _number(number), Open(Path(_word(path)))
        case {"number": int(number), "ask": "Look", "path": str(path), **rest} if not rest:
            return _number(number), Look(Path(_word(path)))
        case {"number": int(number), "ask": "Reread", **rest} if not rest:
            return _number(number), Reread()
        case {"number": int(number), "ask": "EndHooks", **rest} if not rest:
            return _number(number), EndHooks()
        case {"number": int(number), "ask": "Regroup", **rest} if not rest:
            return _number(number), Regroup()
        case {
            "number": int(number),
            "ask": "Run",
            "event": str(event),
            "arguments": list(arguments),
            "environment": dict(environment),
            **rest,
        } if not rest:
            return _number(number), Run(_job(event, arguments, environment))
    raise BadRequest("no such request")


def write(message: Mapping[str, Any]) -> bytes:
    """Return one packet; half characters, which names of files can hold, pass as escapes."""
    return json.dumps(message).encode("ascii")


def read(octets: bytes) -> dict[str, Any]:
    """Return what a packet holds; raise BadRequest when it is no JSON object."""
    if len(octets) > LONGEST:
        raise BadRequest("too long")
    try:
        message = json.loads(octets)
    except (ValueError, RecursionError):
        raise BadRequest("no JSON") from None
    if not isinstance(message, dict):
        raise BadRequest("no object")
    return message


def _job(event: str, arguments: list[Any], environment: dict[Any, Any]) -> HookJob:
    try:
        named = HookEvent(event)
    except ValueError:
        raise BadRequest("no such event") from None
    if len(arguments) > MOST_ARGUMENTS:
        raise BadRequest("too many arguments")
    if not environment.keys() <= ENVIRONMENT:
        raise BadRequest("no such variable")
    return HookJob(named, tuple(map(_word, arguments)), {name: _word(value) for name, value in environment.items()})


def _number(number: int) -> int:
    if isinstance(number, bool) or not 0 <= number < LARGEST_NUMBER:
        raise BadRequest("no number")
    return number


def _word(value: object) -> str:
    """Return a word a program or the file system can be given."""
    if not isinstance(value, str) or "\0" in value:
        raise BadRequest("no word")
    try:
        octets = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadRequest("half a character") from None
    if len(octets) > LONGEST_WORD:
        raise BadRequest("too long a word")
    return value
