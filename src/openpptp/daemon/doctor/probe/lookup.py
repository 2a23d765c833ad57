"""Finds the way to the server, whether its port opens, and who answers there; real sockets, nothing is judged."""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from ipaddress import IPv4Address

from openpptp.daemon.doctor.probe.seen import FirewallSeen, TcpOutcome, TcpSeen
from openpptp.daemon.host_passage import LASTING, REMEDIES, made_by
from openpptp.errors import SetupError
from openpptp.net.error_queue import ignore_errors, take_errors, watch_errors
from openpptp.net.others import read_others, rule_text
from openpptp.net.ruleset import Packet, block
from openpptp.net.way import Way, Ways

MOST_ADDRESSES = 4  # ours: of one name
QUESTION = b"GET / HTTP/1.0\r\n\r\n"
ANSWER = 200  # ours: octets of whoever answers that


async def way_to(address: IPv4Address) -> Way:
    """Return how this host reaches an address; raise SetupError when it does not."""
    with closing(Ways()) as ways:
        return await ways.later(ways.way_to, address)


async def open_ports(
    addresses: Sequence[IPv4Address], port: int, patience: float
) -> tuple[list[TcpSeen], socket.socket | None]:
    """Try the port of each address, all at once; return what came of it and the first connection that opened.

    patience is in seconds.
    """
    streams = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in addresses[:MOST_ADDRESSES]]
    tried = zip(streams, addresses, strict=False)
    seen = await asyncio.gather(*(_open(stream, address, port, patience) for stream, address in tried))
    first = next((stream for stream, each in zip(streams, seen, strict=True) if each.outcome is TcpOutcome.OPEN), None)
    for stream in streams:
        if stream is not first:
            stream.close()
    return list(seen), first


async def _open(stream: socket.socket, address: IPv4Address, port: int, patience: float) -> TcpSeen:
    loop = asyncio.get_running_loop()
    began = loop.time()
    stream.setblocking(False)
    watch_errors(stream)
    outcome, detail = TcpOutcome.OPEN, ""
    try:
        async with asyncio.timeout(patience):
            await loop.sock_connect(stream, (str(address), port))
    except TimeoutError:
        outcome = TcpOutcome.SILENT
    except OSError as error:
        refused = error.errno == errno.ECONNREFUSED
        outcome = TcpOutcome.REFUSED if refused else TcpOutcome.UNREACHABLE
        detail = os.strerror(error.errno or 0)
    seen = TcpSeen(address, outcome, loop.time() - began, tuple(take_errors(stream)), detail)
    ignore_errors(stream)
    return seen


async def ask_who(address: IPv4Address, port: int, patience: float) -> bytes:
    """Return what a question of the web brings on a port, the first octets; empty: nothing."""
    with suppress(OSError):  # TimeoutError is one
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(str(address), port)
            try:
                writer.write(QUESTION)
                return await reader.read(ANSWER)
            finally:
                writer.close()
    return b""


def own_firewall(server: IPv4Address, way: Way) -> FirewallSeen | None:
    """Return what drops GRE that arrives from the server on this very host; None: nothing, or it cannot be seen."""
    try:
        others = read_others("")
    except SetupError:
        return None
    arriving = Packet("input", "gre", None, server, way.source, way.device)
    end = block(others.chains, arriving)
    if end is None:
        return None
    # To connection tracking without its helper an answer in GRE is a flow of its own; whether there is one is not seen.
    sure = end.sure and block(others.chains, replace(arriving, state="established")) is not None
    maker = made_by(end, others)
    text = rule_text(end)
    by = f"rule '{text}' of chain {end.chain}" if text else f"policy of chain {end.chain}"
    remedy = REMEDIES[maker, "gre"].format(
        table=end.base.table,
        chain=end.base.name,
        iptables="iptables-legacy" if end.base.table.startswith("legacy") else "iptables",
    )
    lasting = f"; {LASTING[maker]}" if maker in LASTING else ""
    return FirewallSeen(f"{maker}, {by} in table {end.base.table}", f"sudo {remedy}{lasting}", sure)
