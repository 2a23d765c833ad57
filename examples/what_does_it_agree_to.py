"""What does a piece of equipment agree to? One server per question, one line per answer.

sudo python what_does_it_agree_to.py 192.0.2.1     the equipment dials this address of ours, once per question
python what_does_it_agree_to.py                    our own client stands in for it, in memory and without root
"""

import asyncio
import contextlib
import logging
import socket
import sys

import openpptp

QUESTIONS: dict[str, dict[str, object]] = {
    "MS-CHAPv2, 128 bit": {"methods": ["MS-CHAPv2"]},
    "MS-CHAPv2, 40 bit": {"methods": ["MS-CHAPv2"], "key_bits": [40]},
    "MS-CHAPv1, 128 bit": {"methods": ["MS-CHAPv1"]},
    "CHAP-MD5, in clear": {"methods": ["CHAP-MD5"], "encryption": "off"},
    "PAP, in clear": {"methods": ["PAP"], "encryption": "off"},
}
PASSWORD = "correct horse"


def look_up(name: str) -> openpptp.User | None:
    """Let in whoever knows the password, and whose name is a device's, no faster than a line of long ago."""
    return openpptp.User(PASSWORD, policy="rate 56kbit") if name.startswith("meter-") else None


async def stand_in(wire: openpptp.Wire, address: tuple[str, int]) -> None:
    """Dial as equipment does that knows MS-CHAP, old and new, and 128 bit only."""
    host, port = address
    ports = openpptp.Ports(wire.port("127.0.0.1"))
    with contextlib.suppress(openpptp.NoTunnel):
        async with openpptp.connect(
            host, "meter-7", PASSWORD, port=port, ports=ports, methods=["MS-CHAPv2", "MS-CHAPv1"], reconnect="never"
        ) as tunnel:
            await tunnel.ended()


async def answer(server: openpptp.Server) -> str:
    """Wait until somebody has come in or gone; return what came of it."""
    async for event in server.events():
        if event["event"] == "session up":
            said = server.show(event["session"])["negotiation"]
            return f"yes   {event['user']}, {event['encryption']}, after {len(said)} packets"
        if event["event"] == "session ended":
            return f"no    {event['detail']}"
    raise AssertionError("events end with the server")


async def ask(auth: dict[str, object], ours: str | None) -> str:
    """Put one question: serve with these settings, and see."""
    wire = openpptp.Wire()
    gre = wire.port("127.0.0.9") if ours is None else openpptp.RawGrePort()
    listener = socket.create_server(("127.0.0.9", 0) if ours is None else (ours, 1723))
    async with (
        openpptp.serve(
            network={"pool": ["10.9.0.0/24"]}, auth=auth, users=look_up, ports=openpptp.Ports(gre), listener=listener
        ) as server,
        asyncio.TaskGroup() as tasks,
    ):
        if ours is None:
            tasks.create_task(stand_in(wire, server.address))
        found = await answer(server)
        await server.disconnect()
    return found


async def main(ours: str | None) -> None:
    """Ask every question."""
    for question, auth in QUESTIONS.items():
        print(f"{question:20}", await ask(auth, ours), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)  # that these settings are weak is the point
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
