"""GRE is shown to the call it belongs to."""

from collections import Counter
from ipaddress import IPv4Address

import pytest
from tests.daemon.doctor.probe.seens import CALL_ID, ITS_CALL_ID, PROHIBITED, SERVER, call, silent
from tests.notation import frame

from openpptp.daemon.doctor.probe.seen import CallSeen, LcpSeen, Seen, TcpOutcome, TcpSeen
from openpptp.daemon.doctor.probe.switchboard import MOST_FOREIGN, Switchboard
from openpptp.daemon.doctor.probe.witness import Witness
from openpptp.net.ports import Datagram
from openpptp.wire import gre

REQUEST = frame("[LCP ConfReq id=0x1]")
STRANGER = IPv4Address("203.0.113.99")


@pytest.fixture
def board():
    """Return a switchboard with one call, what is seen of all, and what of that call."""
    seen = Seen("host", tcp=[TcpSeen(SERVER, TcpOutcome.OPEN, 0.0)])
    one = call(gre=silent(sent=0), lcp=LcpSeen(), disconnect_id=None)
    board = Switchboard(seen, lambda: 5.0)
    board.watch(Witness(one, 0.0))
    return board, seen, one


def arrives(board: Switchboard, call_id: int, source: IPv4Address = SERVER) -> None:
    board.gre_received(Datagram(gre.encode(call_id, REQUEST, 0), int(source), 0), 63)


class SwitchboardTests:
    def test_a_packet_comes_to_its_call_by_our_call_id(self, board):
        switchboard, seen, one = board
        arrives(switchboard, CALL_ID)
        assert (one.gre.received, one.lcp.requests, seen.foreign) == (1, 1, Counter())

    def test_a_packet_leaves_from_its_call_by_the_servers(self, board):
        switchboard, _, one = board
        switchboard.gre_sent(gre.encode(ITS_CALL_ID, REQUEST, 0), int(SERVER), taken=True)
        switchboard.gre_sent(gre.encode(0x7777, REQUEST, 0), int(SERVER), taken=True)
        assert one.gre.sent == 1

    def test_call_ids_of_nobody_are_counted_up_to_a_bound(self, board):
        switchboard, seen, one = board
        for number in range(100):
            arrives(switchboard, number)
        assert len(seen.foreign) == MOST_FOREIGN
        assert one.gre.received == 0

    def test_others_than_the_server_and_other_gre_do_not_count(self, board):
        switchboard, seen, one = board
        arrives(switchboard, CALL_ID, STRANGER)
        arrives(switchboard, 0x7777, STRANGER)
        switchboard.gre_received(Datagram(b"\0\0\x08\0" + bytes(20), int(SERVER), 0), 63)
        assert (one.gre.received, seen.foreign) == (0, Counter())

    def test_icmp_is_told_to_the_calls_that_stand(self, board):
        switchboard, _, one = board
        switchboard.icmp_received(PROHIBITED)
        assert one.gre.errors == [PROHIBITED]
        over = call(gre=silent())
        switchboard.watch(Witness(over, 0.0))
        switchboard.icmp_received(PROHIBITED)
        assert over.gre.errors == []

    def test_a_call_of_which_nothing_is_known_yet_gets_nothing(self, board):
        switchboard, _, _ = board
        switchboard.watch(Witness(CallSeen(), 0.0))
