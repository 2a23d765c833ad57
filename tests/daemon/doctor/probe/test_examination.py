"""How long a look takes, and what it keeps to itself; the looks themselves are in tests/netns/test_doctor_host.py."""

import asyncio
from ipaddress import IPv4Address

from openpptp.daemon.doctor.probe import call, examination
from openpptp.daemon.doctor.probe.withholding import ProbingDataPath
from openpptp.net.memory import gre_pair
from openpptp.wire.ppp import Packet, Protocol, encode_frame

THERE, HERE = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")


class PatienceTests:
    def test_p24_a_missing_helper_is_found_within_twelve_seconds(self):
        """Those of waiting for GRE; the rest of that look takes some round trips."""
        assert examination.GRE < 12.0

    def test_no_step_alone_takes_longer_than_all_may(self):
        assert examination.NAME + examination.TCP + examination.CONTROL + examination.BANNER < examination.ALL
        assert examination.CONTROL + examination.CALL + examination.GRE + call.FAREWELL < examination.ALL + 1


class WithholdingTests:
    async def test_proofs_leave_on_the_call_of_a_log_in_only(self):
        ours, theirs, _ = gre_pair(HERE, THERE)
        path = ProbingDataPath(ours, None, frame_received=print, encryption_lost=print, loop=asyncio.get_running_loop())
        for call_id in (1, 2):
            path.open_call(call_id, THERE, HERE)
            path.connect_call(call_id, 100 + call_id)
        path.proving = 2
        for call_id in (1, 2):
            for protocol in (Protocol.LCP, Protocol.CHAP, Protocol.PAP, Protocol.EAP):
                path.send_frame(call_id, encode_frame(protocol, Packet(2, 1).encode()))
            path.send_frame(call_id, b"\xff")
        left = [datagram.payload[6:8] for datagram in theirs.receive()]
        assert left == [b"\x00\x65", *[b"\x00\x66"] * 4]
        path.close()
