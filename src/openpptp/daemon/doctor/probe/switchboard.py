"""Shows each GRE packet to the witness of its call; what belongs to none is counted."""

from collections.abc import Callable

from openpptp.daemon.doctor.probe.path_mtu import Echoes
from openpptp.daemon.doctor.probe.seen import Seen
from openpptp.daemon.doctor.probe.witness import Witness
from openpptp.errors import BadMessage
from openpptp.net.error_queue import IcmpError
from openpptp.net.ports import Datagram
from openpptp.net.probing_gre import GreWitness
from openpptp.wire import gre

MOST_FOREIGN = 16  # ours: Call IDs remembered that nobody agreed on


class Switchboard(GreWitness):
    """All calls of one examination, those that are over as well: their last packets may still be on the way."""

    def __init__(self, seen: Seen, clock: Callable[[], float]) -> None:
        """Begin without calls; clock gives monotonic seconds."""
        self.echoes = Echoes()
        self._seen = seen
        self._clock = clock
        self._ours: dict[int, Witness] = {}
        self._theirs: dict[int, Witness] = {}

    def watch(self, witness: Witness) -> None:
        """Show a call's packets to its witness from now on, as far as its Call IDs are known."""
        if witness.seen.call_id is not None:
            self._ours[witness.seen.call_id] = witness
        if witness.seen.call_reply is not None:
            self._theirs[witness.seen.call_reply.call_id] = witness

    def gre_received(self, datagram: Datagram, time_to_live: int) -> None:
        """See a datagram; only the server's count."""
        server = self._seen.server
        if server is None or datagram.source != int(server):
            return
        try:
            call_id, _, acknowledgement, payload = gre.decode(datagram.payload)
        except BadMessage:
            return
        now = self._clock()
        witness = self._ours.get(call_id)
        if witness is not None:
            witness.gre_received(acknowledgement, payload, time_to_live, now)
            self.echoes.frame_received(payload, now)
        elif call_id in self._seen.foreign or len(self._seen.foreign) < MOST_FOREIGN:
            self._seen.foreign[call_id] += 1

    def gre_sent(self, payload: bytes, peer: int, *, taken: bool) -> None:
        """See a packet of ours."""
        call_id, _, _, frame = gre.decode(payload)
        now = self._clock()
        witness = self._theirs.get(call_id)
        if witness is not None:
            witness.gre_sent(frame, now, taken=taken)
        self.echoes.frame_sent(frame, len(payload), now, taken=taken)

    def icmp_received(self, error: IcmpError) -> None:
        """See an ICMP message; it does not say of which call the packet was."""
        for witness in self._theirs.values():
            if witness.seen.disconnect is None:
                witness.seen.gre.errors.append(error)
        self.echoes.icmp_received(error)
