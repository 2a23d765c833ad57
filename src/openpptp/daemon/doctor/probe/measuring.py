"""Sends echoes along a call, to see what lengths come back and whether the call still gets its packets."""

from collections.abc import Iterable
from typing import NamedTuple

from openpptp.daemon.doctor.probe.call import ProbeCall
from openpptp.daemon.doctor.probe.path_mtu import Echoes, boundary, first_lengths, lengths_between
from openpptp.daemon.doctor.probe.seen import PathSeen
from openpptp.net.probing_gre import ProbingGrePort
from openpptp.tunnel.settings import OVERHEAD

PATIENCE = 0.4  # ours: least seconds for an echo; four times the quickest one where that is more
ATTEMPTS = 3  # ours: a line that loses every tenth packet must not look like one that loses the long ones
SHORT = 100  # ours: octets of an echo that passes everywhere


class Came(NamedTuple):
    """An echo that came back."""

    length: int
    "Octets of the whole packet."
    seconds: float


class Sounder:
    """Sounds calls that have LCP open."""

    def __init__(self, gre: ProbingGrePort, echoes: Echoes) -> None:
        """Send through gre; echoes is shown what passes there."""
        self._gre = gre
        self._echoes = echoes

    async def still(self, call: ProbeCall) -> bool:
        """Tell whether a call gets answers."""
        return bool(await self._sound(call, [SHORT]))

    async def measure(self, call: ProbeCall, device: int) -> PathSeen:
        """Find what lengths come back in one piece; device is what this host's own carries, in octets."""
        needed = call.seen.lcp.peer_mru + OVERHEAD  # longer than the server receives, an echo may be dropped for that
        limit = min(needed, device)
        short = (await self._sound(call, [SHORT])).get(SHORT)
        if short is None:
            return PathSeen(needed, device, 0)
        call.seen.lcp.round_trip = short.seconds
        tried = set(first_lengths(limit))
        passed = await self._sound(call, tried, whole=True)
        if limit not in passed and self._echoes.told is None:
            largest, lost = boundary(passed, tried)
            more = set(lengths_between(largest or SHORT, lost or limit))
            passed |= await self._sound(call, more, whole=True)
            tried |= more
        largest, lost = boundary(passed, tried)
        in_pieces = None if lost is None else bool(await self._sound(call, [limit]))
        longest = passed[largest].length if passed else short.length
        return PathSeen(needed, device, longest, lost, self._echoes.told, in_pieces)

    async def _sound(self, call: ProbeCall, lengths: Iterable[int], *, whole: bool = False) -> dict[int, Came]:
        """Send an echo of each length, in octets; return those that came back. Lost ones are sent again."""
        sent: dict[int, list[int]] = {length: [] for length in lengths}
        came: dict[int, Came] = {}

        def all_came() -> bool:
            for length, identifiers in sent.items():
                for echo in filter(None, map(self._echoes.answered, identifiers)):
                    came[length] = Came(echo.length, echo.answered_after or 0.0)
            return len(came) == len(sent)

        patience = max(PATIENCE, 4 * (call.seen.lcp.round_trip or 0.0))
        for _ in range(ATTEMPTS):
            for length in sorted(sent.keys() - came.keys()):
                identifier, frame = self._echoes.request(length)
                sent[length].append(identifier)
                self._send(call, frame, whole=whole)
            if await call.until(all_came, patience) or call.over:
                break
        return came

    def _send(self, call: ProbeCall, frame: bytes, *, whole: bool) -> None:
        if whole:
            self._gre.whole(lambda: call.send_frame(frame))
        else:
            call.send_frame(frame)
