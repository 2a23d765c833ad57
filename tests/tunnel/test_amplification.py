"""P-13: what a peer gets that falls silent, in octets with all headers, against what it has brought.

TCP has made sure that the peer is where it says, so none of this can be aimed at somebody else. It is more than what
was brought only where we repeat for a lossy line what the peer has asked for, and it has an end. TCP's acknowledgements
that carry nothing are left out on both sides.
"""

import pytest
from tests.notation import frame
from tests.tunnel.messages import START_REQUEST
from tests.tunnel.test_tunnel import CALL, Table

from openpptp.errors import EndReason
from openpptp.tunnel.outputs import ConnectPath, SendFrame, SendStream, SessionEnded
from openpptp.wire.gre import encode
from openpptp.wire.notation import describe_frame

TCP, GRE = 20 + 32, 20
"IP with TCP's time stamps; IP alone, the rest is encode's."
OPENING = 60  # a SYN, and a SYN with its ACK, each way one


class Balance:
    """A server's tunnel and its peer, who counts octets."""

    def __init__(self) -> None:
        self.table = Table()
        self.brought = OPENING
        self._seen = 0

    def says(self, *messages) -> None:
        for message in messages:
            self.brought += TCP + len(message.encode())
            self.table.hears(message)

    def sends(self, text: str) -> None:
        octets = frame(text)
        self.brought += GRE + len(encode(1, octets, 1, None))
        (path,) = self.table.place.all(ConnectPath)
        self.table.run("frame_received", path.call_id, octets)

    def heard(self) -> list[str]:
        """Return the frames that are new to the peer."""
        frames = [describe_frame(output.frame) for output in self.table.place.all(SendFrame)]
        new, self._seen = frames[self._seen :], len(frames)
        return new

    def waits(self, seconds: float) -> None:
        end = self.table.now + seconds
        while (deadline := self.table.tunnel.deadline) is not None and deadline.when <= end:
            self.table.now = max(self.table.now, deadline.when)
            self.table.run("tick")
        self.table.now = end

    @property
    def got(self) -> int:
        stream = sum(TCP + len(output.data) for output in self.table.place.all(SendStream))
        frames = sum(GRE + len(encode(1, output.frame, 1, None)) for output in self.table.place.all(SendFrame))
        return OPENING + stream + frames

    def ended(self) -> EndReason:
        return self.table.place.only(SessionEnded).reason


class SilentPeerTests:
    """Each falls silent at another moment; the rest of the server's deadlines pass."""

    def test_p13_after_the_handshake_of_tcp_it_gets_nothing(self):
        balance = Balance()
        balance.waits(100)
        assert balance.got == OPENING == balance.brought

    def test_p13_after_the_start_only_the_reply(self):
        balance = Balance()
        balance.says(START_REQUEST)
        balance.waits(59)
        assert balance.got == balance.brought

    def test_p13_before_its_first_gre_packet(self):
        balance = Balance()
        balance.says(START_REQUEST, CALL)
        balance.waits(59)
        assert balance.ended() is EndReason.GRE_BLOCKED
        said = balance.heard()
        assert [text.split()[1] for text in said] == ["ConfReq"] * 6 + ["TermReq"]
        assert balance.brought == 488
        assert balance.got <= 1030

    @pytest.mark.parametrize(("agrees", "brought", "got"), [(True, 601, 1480), (False, 542, 1200)])
    def test_p13_before_it_proves_itself(self, agrees, brought, got):
        balance = Balance()
        balance.says(START_REQUEST, CALL)
        balance.sends("[LCP ConfReq id=0x1 <mru 1400> <magic 0x12345678> <pcomp> <accomp>]")
        request, _ = balance.heard()
        if agrees:
            balance.sends(request.replace("ConfReq", "ConfAck"))
        balance.waits(59)
        assert balance.ended() is EndReason.PEER_SILENT
        assert balance.brought == brought
        assert balance.got <= got
