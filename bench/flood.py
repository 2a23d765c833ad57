"""A session that floods its server: `python -m bench.flood KIND RATE SECONDS` in the peer's namespace of a House.

It logs in, says "ready", floods, and says as JSON how much it has sent.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable

from tests.netns.adversary import Attacker, Session
from tests.notation import frame

from openpptp.wire.control import EchoRequest, SetLinkInfo

FRAMES = {
    "LCP echoes": frame("[LCP EchoReq id=0x1 magic=0x12345678]"),
    "LCP Protocol-Rejects": frame("[LCP ProtRej id=0x1 c0 25 00]"),
    "CCP resets": frame("[CCP ResetReq id=0x1]"),
    "LCP negotiations": frame("[LCP ConfReq id=0x1 <mru 1400> <magic 0x1a2b3c4d>]"),
}
MESSAGES = {"control echoes": EchoRequest(7).encode(), "Set-Link-Infos": SetLinkInfo(1, 2, 3).encode()}
SOURCE = "10.77.1.1"


def sender(session: Session, kind: str) -> Callable[[], None]:
    """Return what sends one more."""
    if kind in FRAMES:
        return lambda: session.send_frame(FRAMES[kind])
    return lambda: session.send_stream(MESSAGES[kind])


async def flood(kind: str, rate: int, seconds: float) -> None:
    """Log in and flood."""
    async with Attacker() as attacker:
        session = await attacker.log_in(source=SOURCE)
        send = sender(session, kind)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            for _ in range(min(200, round(passed * rate) - sent)):
                send()
                sent += 1
            await asyncio.sleep(0.001)
        report = {"sent": sent, "seconds": passed, "survived": session.alive}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    asyncio.run(flood(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
