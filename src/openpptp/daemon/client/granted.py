"""Which of the addresses a server grants this machine may take: they come from who is trusted with the tunnel only."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from openpptp.errors import SetupError
from openpptp.tunnel.outputs import InterfaceUp

Owned = Sequence[tuple[IPv4Interface, str]]
"This machine's other addresses, each with its network and its device."


@dataclass(frozen=True, slots=True)
class Granted:
    """What is taken of it, and a sentence for each thing that is not, or that hides something."""

    address: IPv4Address | None
    peer: IPv4Address | None
    "None where the server names no inner address of its own, or none that can be used."
    dns: tuple[IPv4Address, ...]
    warnings: tuple[str, ...]


def granted(output: InterfaceUp, server: IPv4Address | None, owned: Owned) -> Granted:
    """Judge what a server grants; server is its outer address. Raises SetupError when our address cannot be taken.

    Unspecified, loopback, multicast and reserved ones IPCP has refused already.
    """
    warnings: list[str] = []
    address = output.our_address
    if address is not None:
        _check(address, server, owned)
        if (place := _network(address, owned)) is not None:
            warnings.append(
                f"the server gives us {address}, which lies in {place}; what has it there is not reached now"
            )
    peer = _peer(output.peer_address, server, owned, warnings)
    return Granted(address, peer, _dns(output.dns, owned, warnings), tuple(warnings))


def _check(address: IPv4Address, server: IPv4Address | None, owned: Owned) -> None:
    """Raise for an address that would cut the tunnel, or this machine, off."""
    if address == server:
        why = "which is the one we call it at: the tunnel's own packets would never leave this machine"
    elif (device := _device(address, owned)) is not None:
        why = f"which this machine has already, on {device}"
    else:
        return
    raise SetupError(f"the server gives us the address {address}, {why}; let it give another, from a range of its own")


def _peer(
    peer: IPv4Address | None, server: IPv4Address | None, owned: Owned, warnings: list[str]
) -> IPv4Address | None:
    if peer is None or peer.is_unspecified:  # most servers name one, none has to
        return None
    if peer == server:
        # Common with RouterOS and home-made pptpd.conf. A route to it would lead the tunnel into itself.
        why = "the one we call it at"
    elif (device := _device(peer, owned)) is not None:
        why = f"this machine's own, on {device}"
    elif (place := _network(peer, owned)) is not None:
        why = f"one in {place}"  # often that network's own router
    else:
        return peer
    warnings.append(f"the server calls itself {peer} in the tunnel, which is {why}; no route leads there through it")
    return None


def _dns(servers: tuple[IPv4Address, ...], owned: Owned, warnings: list[str]) -> tuple[IPv4Address, ...]:
    taken = []
    for each in servers:
        if (device := _device(each, owned)) is not None:
            warnings.append(f"the server names the DNS server {each}, which is this machine, on {device}; left out")
            continue
        if (place := _network(each, owned)) is not None:
            warnings.append(
                f"the server names the DNS server {each}, which lies in {place}; what has it there is hidden"
            )
        taken.append(each)
    return tuple(taken)


def _device(address: IPv4Address, owned: Owned) -> str | None:
    return next((device for interface, device in owned if interface.ip == address), None)


def _network(address: IPv4Address, owned: Owned) -> str | None:
    """Name the network of this machine that an address lies in."""
    return next(
        (f"this machine's own network {each.network} on {device}" for each, device in owned if address in each.network),
        None,
    )
