"""Each rule of the verdict, without a packet."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.daemon.doctor.probe.seens import (
    CALL_ID,
    EAP,
    HOME,
    HOST,
    PAP,
    PROHIBITED,
    ROUTER,
    SERVER,
    UP,
    call,
    logged_in,
    lost,
    opened,
    passing,
    port,
    seen,
    silent,
    start_reply,
)

from openpptp.daemon.doctor.probe.conclusion import Conclusion
from openpptp.daemon.doctor.probe.methods import OUR_METHOD
from openpptp.daemon.doctor.probe.seen import FirewallSeen, LcpSeen, Method, PathSeen, Seen, TcpOutcome
from openpptp.daemon.doctor.probe.verdict import conclude
from openpptp.errors import EndReason
from openpptp.net.error_queue import IcmpError
from openpptp.wire.control import OutgoingCallReply

WHERE = f"{HOST} ({SERVER})"
LOST = EndReason.CONNECTION_LOST, ""


def labelled(label: str, found: Seen, *, certain: bool = True, works: bool = False) -> Conclusion:
    """Check a conclusion but for its words; return it."""
    conclusion = conclude(found)
    assert (conclusion.label, conclusion.certain, conclusion.works) == (label, certain, works), conclusion
    assert certain == ("most likely" not in conclusion.sentence), conclusion.sentence
    return conclusion


class ReachTests:
    """Name, route, TCP port 1723, who answers there, the call."""

    def test_a_name_without_address(self):
        found = labelled("name", Seen(HOST, name_problem=f"the name {HOST} has no IPv4 address (unknown)"))
        assert f"getent ahostsv4 {HOST}" in found.remedy

    def test_no_way(self):
        found = Seen(HOST, addresses=(SERVER,), way_problem="cannot reach it: Network is unreachable")
        assert WHERE in labelled("route", found).sentence

    def test_a_closed_port(self):
        assert "nobody listens" in labelled("port-closed", port(TcpOutcome.REFUSED)).sentence

    def test_a_port_closed_by_somebody_on_the_way(self):
        found = port(TcpOutcome.REFUSED, IcmpError(3, 3, ROUTER))
        assert f"{ROUTER} says: port unreachable" in labelled("port-refused-on-the-way", found).sentence

    def test_a_port_that_is_silent(self):
        labelled("port-filtered", port(TcpOutcome.SILENT), certain=False)

    def test_a_silent_port_behind_a_tunnel(self):
        found = replace(port(TcpOutcome.SILENT), way=HOME._replace(device="wg0", kind="wireguard"))
        assert "through the tunnel wg0" in labelled("port-filtered", found, certain=False).remedy

    def test_a_port_that_is_prohibited(self):
        found = port(TcpOutcome.UNREACHABLE, PROHIBITED)
        assert "administratively prohibited" in labelled("port-refused-on-the-way", found).sentence

    def test_a_network_that_is_down(self):
        found = port(TcpOutcome.UNREACHABLE, detail="No route to host")
        assert "No route to host" in labelled("unreachable", found).sentence

    @pytest.mark.parametrize(
        ("said", "who"),
        [
            (b"HTTP/1.1 400 Bad Request\r\n", "a web server (HTTP)"),
            (b"<!doctype HTML>", "a web server (HTTP)"),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", "an SSH server"),
            (b"\x15\x03\x01\x00\x02\x02\x46", "a TLS service"),
            (b"220 mail.example.org ESMTP", "a mail or file server (SMTP or FTP)"),
            (b"hello there\r\n", "a service that says 'hello there'"),
            (b"\x00\x01\x02", "another service"),
            (b"\xff\xfe\xfd", "another service"),
        ],
    )
    def test_another_service(self, said, who):
        silence = call(start_reply=None, call_reply=None, disconnect_id=None)
        for found in (replace(seen(), call=replace(silence, said=said)), replace(seen(), call=silence, banner=said)):
            sentence = labelled("wrong-service", found).sentence
            assert sentence == f"{who} answers on TCP port 1723 of {WHERE}, not a PPTP server"

    def test_a_server_that_hangs_up_without_a_word(self):
        mute = call(start_reply=None, call_reply=None, disconnect_id=None, closed_after=0.01)
        labelled("hangs-up", seen(call=mute), certain=False)

    def test_this_very_machine(self):
        mute = call(start_reply=None, call_reply=None, disconnect_id=None, closed_after=0.01)
        assert labelled("itself", seen(call=mute, way=HOME._replace(source=SERVER))).remedy.endswith("openpptp doctor")

    def test_a_service_that_says_nothing(self):
        labelled("mute-service", seen(call=call(start_reply=None, call_reply=None)), certain=False)

    def test_a_control_connection_that_is_refused(self):
        found = seen(call=call(start_reply=start_reply(4), call_reply=None))
        assert "not-authorized" in labelled("control-refused", found).sentence

    @pytest.mark.parametrize(
        ("result", "label", "word"), [(4, "no-free-call", "busy"), (7, "call-refused", "does not accept calls")]
    )
    def test_a_call_that_is_refused(self, result, label, word):
        refused = call(call_reply=OutgoingCallReply(0, CALL_ID, result), disconnect_id=None)
        assert word in labelled(label, seen(call=refused)).sentence

    @pytest.mark.parametrize(("closed", "word"), [(None, "does not answer"), (1.0, "hangs up")])
    def test_a_call_that_is_not_answered(self, closed, word):
        found = seen(call=call(call_reply=None, disconnect_id=None, closed_after=closed))
        assert word in labelled("call-unanswered", found).sentence

    def test_gre_that_cannot_be_seen(self):
        found = replace(lost(), privilege="no raw socket")
        conclusion = conclude(found)
        assert (conclusion.label, conclusion.works, conclusion.certain) == ("not-seen", True, False)


class GreTests:
    """Which way GRE is blocked, and by whom; "most likely" where it is not known."""

    def test_out_is_known_where_the_server_speaks_and_hears_nothing(self):
        labelled("gre-out", lost(gre=silent(received=3, spoke_unheard=True), lcp=LcpSeen(requests=3)))

    def test_our_own_firewall_keeps_it_back_even_if_the_server_is_heard(self):
        labelled("gre-kept-back", lost(gre=silent(sent=0, not_sent=4, received=2)))

    def test_somebody_on_the_way_refuses_it(self):
        sentence = labelled("gre-refused", lost(gre=silent(errors=[PROHIBITED]))).sentence
        assert sentence.startswith(f"{ROUTER} refuses our GRE")

    def test_the_server_has_nobody_who_takes_it(self):
        labelled("gre-no-protocol", lost(gre=silent(errors=[IcmpError(3, 2, SERVER)])))

    def test_a_too_big_message_is_no_refusal(self):
        labelled("gre-back", lost(gre=silent(errors=[IcmpError(3, 4, ROUTER, 1300)])), certain=False)

    def test_a_call_id_nobody_agreed_on(self):
        found = replace(lost(), foreign=Counter({0x4242: 3}))
        assert str(0x4242) in labelled("gre-call-id", found, certain=False).sentence

    def test_nothing_comes_and_this_host_would_drop_it(self):
        firewall = FirewallSeen("nftables, policy of chain input", "sudo nft ...", sure=True)
        assert labelled("gre-own-firewall", replace(lost(), firewall=firewall)).remedy == "sudo nft ..."
        labelled("gre-own-firewall", replace(lost(), firewall=replace(firewall, sure=False)), certain=False)

    def test_nothing_comes_without_nat(self):
        assert "both ways" in labelled("gre-back", lost(), certain=False).sentence

    def test_nothing_comes_and_our_own_server_stays(self):
        sentence = labelled("gre-back", lost("OpenPPTP"), certain=False).sentence
        assert "hears ours" in sentence
        assert "both ways" not in sentence

    def test_nothing_comes_and_our_own_server_hangs_up(self):
        found = lost("OpenPPTP", hung_up=False)
        assert "in neither direction" in labelled("gre-both", found).sentence

    def test_another_server_that_hangs_up_tells_nothing(self):
        labelled("gre-back", lost("linux", hung_up=False), certain=False)

    @pytest.mark.parametrize("vendor", ["linux", "OpenPPTP"])
    def test_a_nat_that_rewrites_no_call_ids_has_no_helper(self, vendor):
        sentence = labelled("nat-without-helper", lost(vendor, way=HOME), certain=False).sentence
        assert "which rewrites no Call IDs" in sentence
        assert str(ROUTER) in sentence

    def test_a_nat_of_which_no_more_is_known(self):
        sentence = labelled("nat-without-helper", lost(way=HOME, disconnect_id=None), certain=False).sentence
        assert "rewrites" not in sentence

    def test_a_nat_with_a_helper_is_not_to_blame(self):
        assert (
            "it has a PPTP helper"
            in labelled("gre-back", lost(way=HOME, disconnect_id=CALL_ID), certain=False).sentence
        )

    def test_neither_way_through_a_nat(self):
        labelled("gre-both", lost("OpenPPTP", way=HOME, hung_up=False), certain=False)


class SessionTests:
    """Once GRE passes."""

    def test_a_link_the_server_ends(self):
        shut = call(lcp=LcpSeen(requests=1, ended="the peer ended the session: go away"))
        assert "go away" in labelled("link-ended", seen(call=shut, methods={})).sentence

    def test_a_link_that_finds_no_agreement(self):
        labelled("link", seen(call=call(lcp=LcpSeen(requests=9), ended=LOST), methods={}))

    def test_a_server_without_ppp(self):
        labelled("link-silent", seen(call=call(lcp=LcpSeen()), methods={}))

    @pytest.mark.parametrize(
        ("method", "name", "remedy"),
        [
            (PAP, "PAP", "--allow-method PAP --encryption off"),
            (bytes.fromhex("c22380"), "MS-CHAPv1", "--allow-method MS-CHAPv1"),
            (EAP, "EAP", "our client does not speak EAP"),
        ],
    )
    def test_a_server_that_wants_another_method(self, method, name, remedy):
        found = seen(methods={OUR_METHOD: Method.REFUSED, method: Method.TAKEN})
        conclusion = labelled("methods", found)
        assert conclusion.sentence == f"{WHERE} lets nobody in by MS-CHAPv2: it wants {name} only"
        assert remedy in conclusion.remedy

    def test_a_server_that_asks_nobody(self):
        labelled("no-password", seen(call=call(lcp=opened(demanded=[b""])), methods={}), works=True)

    def test_a_refused_log_in(self):
        found = logged_in(failure="wrong user name or password (error 691)")
        assert "refuses the log-in of alice" in labelled("login-refused", found).sentence

    @pytest.mark.parametrize(
        ("offered", "said"),
        [
            ([], "refuses encryption (MPPE)"),
            ([0x01000020], "offers MPPE 40 bit only"),
            ([0x00000040], "insists on stateful MPPE"),
        ],
    )
    def test_an_encryption_the_client_does_not_take(self, offered, said):
        ended = EndReason.ENCRYPTION_UNSUITABLE, "no common encryption"
        found = logged_in(let_in=True, offered=offered, rejects_encryption=not offered, ended=ended)
        assert said in labelled("encryption", found).sentence

    def test_a_session_that_comes_to_nothing(self):
        found = logged_in(let_in=True, ended=(EndReason.NO_ADDRESS, "no address is free"))
        assert "lets in alice" in labelled("login", found).sentence
        assert "in time" in labelled("login", logged_in()).sentence

    def test_a_black_hole(self):
        found = seen(path=PathSeen(1440, 1500, 1300, 1320, in_pieces=False))
        conclusion = labelled("mtu-black-hole", found)
        assert "set the MRU to 1260" in conclusion.remedy

    def test_a_hole_of_which_somebody_tells(self):
        found = seen(path=PathSeen(1440, 1500, 1280, 1360, told=(1300, ROUTER), in_pieces=False))
        assert f"though {ROUTER} says so" in labelled("mtu-black-hole", found).sentence

    def test_a_hole_for_what_must_not_be_cut(self):
        labelled("mtu-pieces", seen(path=PathSeen(1440, 1500, 1300, 1320, in_pieces=True)), works=True)

    def test_a_narrow_way_that_says_so(self):
        told = PathSeen(1440, 1500, 1280, 1360, told=(1300, ROUTER), in_pieces=True)
        labelled("well", seen(path=told), works=True)

    def test_a_server_that_answers_no_echo(self):
        labelled("well", seen(path=PathSeen(1440, 1500, 0)), works=True)

    def test_a_second_call_that_gets_nothing(self):
        labelled("one-call", seen(second=call(gre=silent())), works=True, certain=False)

    def test_a_second_call_that_takes_the_firsts_packets(self):
        labelled("one-call", seen(first_still=False), works=True, certain=False)

    def test_a_server_that_takes_one_call_only_is_well(self):
        labelled("well", seen(second=call(call_reply=OutgoingCallReply(0, CALL_ID, 4))), works=True)


class WellTests:
    """Nothing is in the way."""

    def test_without_an_account(self):
        found = labelled("well", seen(), works=True)
        assert found.sentence == f"all is well up to the log-in: clients can connect to {WHERE}"
        assert "--user" in found.remedy

    def test_with_an_account(self):
        assert labelled("well", logged_in(let_in=True, up=UP), works=True).sentence == (
            f"all is well: alice can connect to {WHERE}"
        )

    def test_the_nat_is_named(self):
        assert labelled("well", seen(way=HOME), works=True).sentence.endswith(", through a NAT")
        helped = seen(way=HOME, call=call(disconnect_id=CALL_ID))
        assert labelled("well", helped, works=True).sentence.endswith(", through a NAT with a PPTP helper")

    def test_the_gre_of_one_that_is_heard_passes(self):
        assert conclude(seen(call=call(gre=passing(errors=[PROHIBITED])))).works
