"""What single makes of server do, each met as a row of the quirks says: one test for one habit."""

from dataclasses import replace

import pytest
from tests import pcap
from tests.eventually import until
from tests.servers.makers import (
    ACCEL_PPP,
    ADMITS,
    CISCO,
    MPD,
    MPPE,
    NPPPD,
    PPPD_ASKS,
    PPTPD,
    RRAS,
    challenge,
    connected,
    with_rules,
)
from tests.servers.script import on
from tests.servers.stage import BEYOND, Stage

from openpptp.daemon.wishes import DataPathWishes
from openpptp.errors import EndReason
from openpptp.tunnel.settings import Dialling
from openpptp.wire.control import (
    Bearer,
    CallDisconnectNotify,
    EchoReply,
    EchoRequest,
    Framing,
    OutgoingCallRequest,
    SetLinkInfo,
    StopControlConnectionRequest,
    WanErrorNotify,
)


class CallTests:
    """The control connection and the call."""

    async def test_q08_call_id_0_is_one_like_others(self, stage: Stage):
        await stage.serve(replace(PPTPD, call=connected(0)))
        await stage.connect()
        await stage.carry()

    async def test_q09_q15_set_link_info_and_wan_error_notify_change_nothing(self, stage: Stage):
        server = await stage.serve(RRAS)
        await stage.connect()
        server.say(SetLinkInfo(1, 0, 0), WanErrorNotify(1, crc_errors=9), SetLinkInfo(0xFFFF))
        await stage.carry()
        assert [message for message in server.messages if isinstance(message, SetLinkInfo)] == []

    @pytest.mark.parametrize("script", [RRAS, ACCEL_PPP], ids=str)
    async def test_q11_a_call_that_ends_with_result_0_or_our_own_call_id_has_ended(self, stage: Stage, script):
        server = await stage.serve(script)
        await stage.connect()
        server.hang_up()
        assert (await stage.end())[0] is EndReason.PEER_REQUEST

    async def test_q11_nor_does_it_matter_that_an_address_translator_has_rewritten_it(self, stage: Stage):
        server = await stage.serve(RRAS)
        await stage.connect()
        server.say(CallDisconnectNotify(0x7777, 0))
        reason, detail = await stage.end()
        assert (reason, detail) == (EndReason.PEER_REQUEST, "the peer ended the call")

    async def test_q14_windows_hangs_up_link_call_and_connection_in_turn(self, stage: Stage):
        server = await stage.serve(RRAS)
        await stage.connect()
        server.say("[LCP TermReq id=0x9 magic=0x1b8d49a2 ras-error=0]", SetLinkInfo(1))
        server.hang_up()
        server.say(StopControlConnectionRequest(1))
        assert (await stage.end())[0] is EndReason.PEER_REQUEST

    async def test_q16_a_carrier_modem_gets_what_it_wants_to_hear(self, stage: Stage):
        dialling = Dialling("RELAY_PPP1", bearer=Bearer.DIGITAL, minimum_bps=2400, maximum_bps=10_000_000)
        server = await stage.serve(PPTPD)
        await stage.connect(dialling=dialling, data_path=DataPathWishes("reference", receive_window=3))
        (request,) = [message for message in server.messages if isinstance(message, OutgoingCallRequest)]
        assert (request.phone_number, request.bearer_type, request.framing_type) == ("RELAY_PPP1", 2, 3)
        assert (request.minimum_bps, request.maximum_bps, request.packet_receive_window_size) == (2400, 10_000_000, 3)
        assert request.encode()[36:38] == (10).to_bytes(2, "big"), "the length, without a NUL"

    async def test_a_subaddress_and_a_framing_are_said_too(self, stage: Stage):
        server = await stage.serve(PPTPD)
        await stage.connect(dialling=Dialling(subaddress="17", framing=Framing.SYNCHRONOUS))
        (request,) = [message for message in server.messages if isinstance(message, OutgoingCallRequest)]
        assert (request.subaddress, request.framing_type) == (b"17", 2)

    async def test_an_echo_is_answered_while_the_link_is_negotiated(self, stage: Stage):
        server = await stage.serve(with_rules(PPTPD, on("LCP up", EchoRequest(77), *PPTPD.rules[2].said)))
        await stage.connect()
        assert EchoReply(77) in server.messages


class GreTests:
    """How packets are numbered, acknowledged and held back."""

    async def test_q26_mpd_that_keeps_its_window_need_not_wait_for_our_timer(self, stage: Stage):
        """Each acknowledgement takes in half the window at most, so the other half can be on its way."""
        server = await stage.serve(MPD)
        await stage.connect(data_path=DataPathWishes("reference", receive_window=16))
        server.carriage.acks.clear()
        await self.stream(stage, 200)
        assert max(server.carriage.acks) == 8

    async def test_q26_mpd_gets_its_packets_through_with_our_usual_window_too(self, stage: Stage):
        await stage.serve(MPD)
        await stage.connect()
        await self.stream(stage, 40)

    async def test_q25_npppd_never_gets_an_acknowledgement_of_what_it_did_not_send(self, stage: Stage):
        server = await stage.serve(NPPPD)
        await stage.connect()
        await self.stream(stage, 100)
        assert server.complaints == []

    async def stream(self, stage: Stage, count: int) -> None:
        """Send packets one way, as fast as the server's window lets it; all must come in, in order."""
        server, system = stage.server, stage.place.systems[0]
        packets = [pcap.ipv4(BEYOND, stage.connected["address"], 17, b"%d" % number) for number in range(count)]
        arrived: list[bytes] = []
        for packet in packets:
            while not server.send_inside(packet):
                server.carriage.acknowledged.clear()
                await server.carriage.acknowledged.wait()
            arrived += system.receive()
        await until(lambda: arrived.extend(system.receive()) or len(arrived) >= count)
        assert arrived == packets

    async def test_q48_windows_sends_four_octets_more_than_the_mru(self, stage: Stage):
        server = await stage.serve(RRAS)
        await stage.connect()
        packet = pcap.ipv4(BEYOND, RRAS.address, 17, bytes(1400 - 20))
        server.send_inside(packet)
        arrived: list[bytes] = []
        await until(lambda: arrived.extend(stage.place.systems[0].receive()) or arrived)
        assert arrived == [packet]

    async def test_gre_that_overtakes_the_outgoing_call_reply_is_kept(self, stage: Stage):
        """Under load it does so in most log-ins; the server is heard nonetheless, and asked only once."""
        server = await stage.serve(PPTPD)
        late, answer = [], server._answer

        def hold_back(message):
            if isinstance(message, OutgoingCallRequest):
                say, server.say = server.say, lambda *said: say(*[each for each in said if isinstance(each, str)])
                answer(message)
                server.say = say
                late.append(replace(PPTPD.call, peer_call_id=message.call_id))
            else:
                answer(message)

        server._answer = hold_back
        connecting = stage.connecting()
        await until(lambda: late)
        server.say(*late)
        await connecting
        await stage.carry()


class LinkTests:
    """LCP and what it carries."""

    @pytest.mark.parametrize(
        ("error", "reason", "words"),
        [
            (0, EndReason.PEER_REQUEST, "the peer ended"),
            (691, EndReason.AUTHENTICATION_REFUSED, "Windows error 691"),
            (720, EndReason.NEGOTIATION_FAILED, "Windows error 720"),
            (742, EndReason.ENCRYPTION_UNSUITABLE, "Windows error 742"),
            (919, EndReason.AUTHENTICATION_UNSUITABLE, "Windows error 919"),
            (31337, EndReason.PEER_REQUEST, "Windows error 31337"),
        ],
    )
    async def test_q44_why_windows_ends_a_link_is_told(self, stage: Stage, error, reason, words):
        bye = f"[LCP TermReq id=0x9 magic=0x1b8d49a2 ras-error={error}]"
        await stage.serve(with_rules(RRAS, on(ADMITS.heard, bye, CallDisconnectNotify(RRAS.call.call_id, 0))))
        ended, detail = await stage.refused()
        assert ended is reason
        assert words in detail

    async def test_q42_callback_that_was_never_agreed_on_is_rejected_and_does_not_delay(self, stage: Stage):
        cbcp = "[proto=0xc029] 01 01 00 05 01"
        server = await stage.serve(with_rules(RRAS, on(ADMITS.heard, *RRAS.rules[5].said, cbcp), on("[LCP ProtRej *]")))
        await stage.connect()
        await stage.carry()
        assert [line for line in server.heard if "ProtRej" in line] == ["[LCP ProtRej id=0x2 c0 29 01 01 00 05 01]"]

    async def test_q43_identification_and_time_remaining_are_heard_in_silence(self, stage: Stage):
        server = await stage.serve(RRAS)
        await stage.connect()
        server.say('[LCP TimeRem id=0x9 magic=0x1b8d49a2 seconds=60 "soon"]', '[LCP Ident id=0xa magic=0x1b8d49a2 "x"]')
        await stage.carry()
        assert not [line for line in server.heard if "CodeRej" in line]

    async def test_q83_ipv6_that_is_not_wanted_is_rejected_once(self, stage: Stage):
        ipv6 = "[IPV6CP ConfReq id=0x5 <addr fe80::dc15:159b:5957:c96d>]"
        script = with_rules(RRAS, on("CCP up", ipv6, ipv6), on("[LCP ProtRej *]"))
        server = await stage.serve(script)
        await stage.connect()
        await stage.carry()
        assert len([line for line in server.heard if "ProtRej" in line]) == 1

    async def test_q46_nobody_is_asked_for_a_control_character_map(self, stage: Stage):
        server = await stage.serve(CISCO)
        await stage.connect()
        assert not [line for line in server.heard if "ConfReq" in line and "asyncmap" in line]

    async def test_a_link_negotiated_anew_is_as_good_as_the_first(self, stage: Stage):
        server = await stage.serve(PPTPD)
        await stage.connect()
        await stage.carry()

        def again() -> None:
            server.forget()
            server.say(PPPD_ASKS.replace("id=0x1", "id=0x31"))

        await stage.negotiated_anew(again)
        await stage.carry()
        assert server.complaints == []


class ProofTests:
    """The log-in."""

    async def test_q55_a_challenge_that_is_repeated_with_another_value_is_answered_too(self, stage: Stage):
        old = '[CHAP Challenge id=0x1 <00112233445566778899aabbccddeeff>, name = "pptpd"]'
        script = with_rules(PPTPD, on("LCP up", old, challenge("pptpd", 2)), on("wrong response"))
        server = await stage.serve(script)
        await stage.connect()
        await stage.carry()
        assert len([line for line in server.heard if "CHAP Response" in line]) == 2

    async def test_q56_another_log_in_during_the_session_leaves_the_keys_alone(self, stage: Stage):
        again = on("[CHAP Response id=0x99 *]", '[CHAP Success id=0x99 "S={proof}"]')
        server = await stage.serve(with_rules(PPTPD, again))
        await stage.connect()
        await stage.carry()
        server.say(challenge("pptpd", 0x99))
        await until(lambda: any("id=0x99" in line for line in server.heard))
        await stage.carry()


class EncryptionTests:
    """CCP."""

    async def test_accel_ppp_refuses_stateful_encryption_to_who_wants_it(self, stage: Stage):
        server = await stage.serve(ACCEL_PPP)
        await stage.connect(stateful=True)
        await stage.carry()
        assert f"[CCP ConfReq id=0x1 {MPPE.replace('+H', '-H')}]" in server.heard
        assert server.complaints == []

    async def test_q74_multilinks_own_ccp_is_rejected(self, stage: Stage):
        server = await stage.serve(with_rules(RRAS, on("CCP up", "[proto=0x80fb] 01 01 00 04"), on("[LCP ProtRej *]")))
        await stage.connect()
        await stage.carry()
        assert "[LCP ProtRej id=0x2 80 fb 01 01 00 04]" in server.heard
