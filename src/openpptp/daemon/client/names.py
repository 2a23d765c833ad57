"""The addresses of the servers, in the order they are tried."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from ipaddress import IPv4Address

from openpptp.daemon.client.attempt import Where
from openpptp.errors import SetupError

PATIENCE = 10.0  # ours: seconds for a name server; one behind a tunnel that is down never answers


async def resolve(hosts: Sequence[str]) -> list[Where]:
    """Return all addresses of all hosts; raise SetupError in words when there is none."""
    found = await asyncio.gather(*(_resolve(host) for host in hosts), return_exceptions=True)
    places = [place for places in found if isinstance(places, list) for place in places]
    if places:
        return places
    reasons = [str(reason) for reason in found if isinstance(reason, SetupError)]
    raise SetupError("; ".join(reasons))


def is_address(host: str) -> bool:
    """Tell whether a host needs no looking up."""
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


async def _resolve(host: str) -> list[Where]:
    return [Where(host, address) for address in await addresses(host, PATIENCE)]


async def addresses(host: str, patience: float) -> list[IPv4Address]:
    """Return the addresses of a name, each once; raise SetupError in words, after patience seconds at the latest."""
    if is_address(host):
        return [IPv4Address(host)]
    try:
        async with asyncio.timeout(patience):
            found = await _look_up(host)
    except TimeoutError:
        raise SetupError(f"no name server answers for {host}; check the network and DNS") from None
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SetupError(f"the name {host} has no IPv4 address ({why}); check the spelling and DNS") from None
    return [IPv4Address(address) for address in dict.fromkeys(found)]


async def _look_up(host: str) -> list[str]:
    """Ask in a thread that nobody waits for: the system's resolver may take a minute, Ctrl-C must not."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str] | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found or [])

    def ask() -> None:
        found, failed = None, None
        try:
            entries = socket.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
            found = [str(entry[4][0]) for entry in entries]
        except (OSError, UnicodeError) as error:
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    return await answer
