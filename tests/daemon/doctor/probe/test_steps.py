"""Each step in words, without a packet."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.daemon.doctor.probe.seens import (
    CALL_ID,
    HOME,
    HOST,
    OURS,
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

from openpptp.daemon.doctor.probe.methods import OUR_METHOD
from openpptp.daemon.doctor.probe.seen import FirewallSeen, LcpSeen, Method, PathSeen, Seen, TcpOutcome, TcpSeen
from openpptp.daemon.doctor.probe.steps import steps
from openpptp.daemon.doctor.report import Result
from openpptp.errors import EndReason
from openpptp.net.error_queue import IcmpError
from openpptp.wire.control import OutgoingCallReply, StartControlConnectionReply


def said(found: Seen) -> dict[str, str]:
    """Return standing and sentence of each step."""
    return {each.check: f"{each.standing.value} {each.sentence}" for each in steps(found)}


def step(found: Seen, check: str) -> Result:
    return next(each for each in steps(found) if each.check == check)


class WholeTests:
    def test_all_steps_in_order(self):
        assert said(seen()) == {
            "name": f"ok {HOST} is {SERVER}",
            "route": f"ok through eth0, by {ROUTER}, from 198.51.100.7; it carries 1,500 octets",
            "TCP 1723": f"ok {SERVER} opens it",
            "control": 'ok "linux", host "local", PPTP 1.0, firmware 0, framing asynchronous and synchronous, '
            "bearer analog and digital, channels 0",
            "call": "ok connected: Call ID 4369 here, 8738 there; its receive window is 64 packets",
            "GRE out": "ok the server acknowledges what we send",
            "GRE back": "ok the server answered us, with the Call ID agreed on; time to live 60",
            "LCP": "ok open; the server receives 1,400 octets, echo after 10.0 ms",
            "methods": "ok the server takes MS-CHAPv2; refuses MS-CHAPv1, CHAP-MD5, PAP, EAP",
            "path MTU": "ok 1,440 octets pass, all that a client sends",
            "NAT": "ok none: 198.51.100.7 is an address of the internet",
            "two calls": "ok two at the same time both get their GRE",
            "encryption": "- servers say after the log-in only which MPPE they allow",
        }

    def test_how_long_they_took(self):
        took = {each.check: each.seconds for each in steps(replace(seen(), seconds={"path": 0.5}))}
        assert (took["TCP 1723"], took["control"], took["GRE back"], took["path MTU"]) == (0.01, 0.01, 0.01, 0.5)
        assert took["call"] == pytest.approx(0.02)

    def test_a_log_in(self):
        found = said(logged_in(let_in=True, offered=[0x01000040], up=UP))
        assert found["log-in"] == "ok alice is let in, and the server knows the password"
        assert found["encryption"] == "ok MPPE 128 bit; the server offers MPPE 128 bit"
        assert found["address"] == "ok 10.0.0.2, the server is 10.0.0.1; MTU 1,396"


class ReachTests:
    def test_a_name_that_fails_is_the_last_step(self):
        assert said(Seen(HOST, name_problem="no such name")) == {"name": "FAILED no such name"}

    def test_an_address_is_no_name(self):
        assert said(Seen(str(SERVER), addresses=(SERVER,)))["name"] == f"ok {SERVER} is an address"

    def test_a_way_through_a_tunnel(self):
        found = replace(port(TcpOutcome.SILENT), way=HOME._replace(device="wg0", kind="wireguard", gateway=None))
        assert said(found)["route"].startswith("ok through wg0, itself a tunnel (wireguard), directly, from")
        assert said(Seen(HOST, way_problem="no way"))["route"] == "FAILED no way"

    @pytest.mark.parametrize(
        ("outcome", "errors", "words"),
        [
            (TcpOutcome.REFUSED, (), "refuses it: closed"),
            (TcpOutcome.SILENT, (), "does not answer, and no ICMP message came: filtered, or the host is down"),
            (TcpOutcome.SILENT, (PROHIBITED,), f"is not reached: {ROUTER} says: administratively prohibited"),
            (TcpOutcome.UNREACHABLE, (), "is not reached: No route to host"),
            (TcpOutcome.UNREACHABLE, (IcmpError(3, 77, ROUTER),), f"{ROUTER} says: ICMP type 3 code 77"),
        ],
    )
    def test_a_port_that_does_not_open(self, outcome, errors, words):
        assert words in said(port(outcome, *errors, detail="No route to host"))["TCP 1723"]

    def test_one_address_of_several_is_enough(self):
        tried = [TcpSeen(ROUTER, TcpOutcome.REFUSED, 0.1), TcpSeen(SERVER, TcpOutcome.OPEN, 0.2)]
        found = [each.standing.value for each in steps(replace(seen(), tcp=tried)) if each.check == "TCP 1723"]
        assert found == ["ok", "ok"]

    def test_who_answers_in_place_of_a_server(self):
        mute = call(start_reply=None, call_reply=None)
        assert said(seen(call=mute))["control"] == "FAILED nobody answers"
        assert said(seen(call=replace(mute, closed_after=1.0)))["control"] == "FAILED it hangs up without a word"
        assert said(seen(call=mute, banner=b"SSH-2.0"))["control"] == "FAILED an SSH server answers, no PPTP server"

    def test_names_steer_no_terminal(self):
        reply = StartControlConnectionReply(0x0100, 1, 0, 0, 0, 1, 1, "\x1b[2J", "")
        assert (
            '"", host "\\x1b[2J", PPTP 1.0, firmware 1, framing none, bearer none'
            in said(seen(call=call(start_reply=reply)))["control"]
        )

    def test_refusals(self):
        refused = seen(call=call(start_reply=start_reply(4), call_reply=None))
        assert said(refused)["control"] == "FAILED refused: 4(not-authorized)"
        assert "call" not in said(refused)
        busy = seen(call=call(call_reply=OutgoingCallReply(0, CALL_ID, 4)))
        assert said(busy)["call"].startswith("FAILED refused: it is busy")
        assert said(seen(call=call(call_reply=None)))["call"] == "FAILED no Outgoing-Call-Reply came"


class GreTests:
    def test_without_the_privilege(self):
        found = said(replace(lost(), privilege="no raw socket; run as root"))
        assert found["GRE"] == "- no raw socket; run as root"
        assert "GRE back" not in found

    @pytest.mark.parametrize(
        ("found", "out", "back"),
        [
            (lost(), "- 8 packets left; whether they arrive is not known", "FAILED not one packet came"),
            (lost("OpenPPTP"), "- 8 packets left; most likely they arrive", "FAILED not one packet came"),
            (lost("OpenPPTP", hung_up=False), "FAILED 8 packets left; the server hung up after 10.5 s", "FAILED not"),
            (lost(gre=silent(sent=0, not_sent=3)), "FAILED this machine let none of 3 packets out", "- none came"),
            (lost(gre=silent(errors=[PROHIBITED])), f"FAILED 8 packets left; {ROUTER} says", "- none came"),
            (
                lost(gre=silent(received=3, spoke_unheard=True)),
                "FAILED 8 packets left; the server ack",
                "ok the server spo",
            ),
        ],
    )
    def test_both_ways(self, found, out, back):
        words = said(found)
        assert words["GRE out"].startswith(out)
        assert words["GRE back"].startswith(back)

    def test_strange_call_ids(self):
        words = said(replace(lost(), foreign=Counter({7: 1, 3: 2})))
        assert words["GRE back"] == "FAILED packets come with Call ID 3, 7, on which nobody agreed"

    def test_this_hosts_firewall(self):
        found = replace(lost(), firewall=FirewallSeen("nftables, policy of chain input", "", sure=True))
        assert "own firewall would drop it: nftables" in said(found)["GRE back"]

    @pytest.mark.parametrize(
        ("found", "words"),
        [
            (lost(way=HOME), f"- {OURS} is translated, and Call IDs are not: most likely there is no PPTP helper"),
            (seen(way=HOME), f"ok {OURS} is translated, and Call IDs are not: a helper of another kind"),
            (seen(way=HOME, call=call(disconnect_id=CALL_ID)), "a NAT with a PPTP helper: it rewrites Call IDs"),
            (lost(way=HOME, disconnect_id=None), "- 192.168.1.7 is translated; whether there is a PPTP helper"),
            (
                replace(seen(way=HOME), tcp=[TcpSeen(ROUTER, TcpOutcome.OPEN, 0.0)]),
                f"- not known: {OURS} and the server both have private addresses",
            ),
        ],
    )
    def test_the_nat(self, found, words):
        assert words in said(found)["NAT"]


class SessionTests:
    @pytest.mark.parametrize(
        ("lcp", "words"),
        [
            (LcpSeen(ended="go away"), "go away"),
            (LcpSeen(requests=9), "9 requests of the server, and no agreement"),
            (LcpSeen(), "no request of the server came"),
        ],
    )
    def test_a_link_that_does_not_open(self, lcp, words):
        assert said(seen(call=call(lcp=lcp), methods={}))["LCP"] == f"FAILED {words}"

    def test_methods(self):
        first = call(lcp=opened(demanded=[PAP]))
        both = {OUR_METHOD: Method.TAKEN, PAP: Method.TAKEN}
        words = said(seen(call=first, methods=both))["methods"]
        assert words == "ok the server takes PAP, MS-CHAPv2; it asks for PAP first"
        assert said(seen(call=first, methods={PAP: Method.TAKEN}))["methods"] == "FAILED the server takes PAP"
        nobody = seen(call=call(lcp=opened(demanded=[b""])), methods={})
        assert said(nobody)["methods"] == "FAILED the server asks for no password at all"

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            (PathSeen(1440, 1300, 1300), "ok 1,300 octets pass, as much as this machine's device"),
            (PathSeen(1440, 1500, 0), "- no LCP echo came back"),
            (PathSeen(1440, 1500, 1300, 1320, in_pieces=True), "pieces of cut packets pass"),
            (PathSeen(1440, 1500, 1300, 1320, in_pieces=False), "no ICMP message says why; pieces of cut packets get"),
            (
                PathSeen(1440, 1500, 1280, 1360, (1300, ROUTER), in_pieces=True),
                f"ok {ROUTER} says that the way carries 1,300 octets; a client sends up to 1,440",
            ),
            (
                PathSeen(1440, 1500, 1280, 1360, (1300, ROUTER), in_pieces=False),
                f"{ROUTER} says that the way carries 1,300; pieces of cut packets get lost",
            ),
        ],
    )
    def test_the_path(self, path, words):
        assert words in said(seen(path=path))["path MTU"]

    def test_two_calls(self):
        assert said(seen(second=call(gre=silent())))["two calls"].startswith("FAILED the second one")
        assert said(seen(first_still=False))["two calls"].startswith("FAILED the second one takes")
        assert said(seen(second=call(call_reply=None)))["two calls"] == "- the server answered no second request"
        busy = call(call_reply=OutgoingCallReply(0, CALL_ID, 4))
        assert said(seen(second=busy))["two calls"].startswith("- the server takes no second one from here: it is busy")
        assert "two calls" not in said(replace(seen(), second=None))

    def test_a_log_in_that_fails(self):
        assert said(logged_in(failure="wrong (error 691)"))["log-in"] == "FAILED wrong (error 691)"
        assert said(logged_in(ended=(EndReason.PEER_SILENT, "silence")))["log-in"] == "FAILED silence"
        assert said(logged_in())["log-in"] == "FAILED it did not get to its end in time"
        assert said(logged_in(let_in=True))["encryption"] == "FAILED the server offers no encryption"

    def test_no_echo(self):
        assert said(seen(call=call(lcp=opened(round_trip=None), gre=passing())))["LCP"].endswith(", no echo")
