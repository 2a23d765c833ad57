"""Fetch a page of a network that only the tunnel leads to; this host's device, routes and log are used, so be root.

sudo OPENPPTP_PASSWORD=... python fetch.py SERVER USER NETWORK URL
"""

import asyncio
import logging
import os
import sys
import urllib.request
from typing import Any

import openpptp


def fetch(url: str) -> str:
    """Return what a server on the web says, and how long its answer is."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the URL is whoever starts this one's own
        return f"{answer.status} {answer.reason}, {len(answer.read())} octets"


def show(event: dict[str, Any]) -> None:
    """Print how far the connection is."""
    print(f"... {event['stage'] if event['event'] == 'stage' else event['event']}")


async def main(server: str, user: str, network: str, url: str) -> int:
    """Connect, fetch, disconnect; return the exit code."""
    password = os.environ["OPENPPTP_PASSWORD"]
    try:
        async with openpptp.connect(server, user, password, routes=[network], on_event=show) as tunnel:
            print(f"{tunnel.interface}: {tunnel.address} to {tunnel.server_vendor} at {tunnel.server}")
            print(f"{tunnel.encryption}, MTU {tunnel.mtu}")
            print(f"{url}: {await asyncio.to_thread(fetch, url)}")
            print(f"{tunnel.counters.packets_in} packets in, {tunnel.counters.packets_out} out")
    except (openpptp.NoTunnel, openpptp.SetupError) as error:
        print(f"no tunnel: {error}")
        return 1
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    sys.exit(asyncio.run(main(*sys.argv[1:5])))
