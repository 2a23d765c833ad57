"""Servers that want less than our client allows, or are none: it does not go along, and says what they wanted."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from tests import pcap
from tests.eventually import until
from tests.servers.makers import (
    ADMITS,
    IPCP_GIVES,
    MIKROTIK,
    MPPE,
    PPPD_ASKS,
    PPTPD,
    with_rules,
)
from tests.servers.script import on
from tests.servers.stage import BEYOND, Stage

from openpptp.credentials import AuthMethod
from openpptp.daemon.connect_request import Dns
from openpptp.errors import EndReason

CLEAR = {"encryption": "off"}


def asks(auth: str, *, new_identifiers: bool = True):
    """Return pppd with another demand, which it insists on."""
    asked = [PPPD_ASKS.replace("<auth chap MS-v2> ", auth).replace("id=0x1", f"id={n:#x}") for n in range(0x21, 0x29)]
    again = [on(f"[LCP ConfNak id={n:#x} *]", asked[n - 0x20]) for n in range(0x21, 0x28)]
    if not new_identifiers:
        again = [on("[LCP ConfNak id={id} *]", asked[0])]
    return with_rules(PPTPD, on("call", asked[0]), *again, on("LCP up"))


class MethodTests:
    """The log-in the server wants is not the one allowed."""

    @pytest.mark.parametrize(
        ("auth", "wants", "remedy"),
        [
            ("<auth pap> ", "PAP", "--allow-method PAP --encryption off would log in, but sends the password in clear"),
            ("<auth chap MD5> ", "CHAP-MD5", "--allow-method CHAP-MD5 --encryption off would log in, but lets whoever"),
            ("<auth chap MS> ", "MS-CHAPv1", "--allow-method MS-CHAPv1 would log in, but gives away a key as good as"),
            ("<auth eap> ", "EAP", "this client has no other; let the server allow MS-CHAPv2 for this user"),
        ],
    )
    async def test_b082_a_weaker_one_is_refused_with_the_option_and_its_danger(self, stage: Stage, auth, wants, remedy):
        server = await stage.serve(asks(auth))
        reason, detail = await stage.refused()
        assert reason is EndReason.AUTHENTICATION_UNSUITABLE
        assert detail.startswith(f"the server requires {wants}; this client answers only MS-CHAPv2; {remedy}")
        assert not [line for line in server.heard if line.startswith(("[PAP", "[CHAP"))]

    async def test_one_that_insists_under_one_identifier_is_told_no_worse(self, stage: Stage):
        await stage.serve(asks("<auth pap> ", new_identifiers=False))
        reason, detail = await stage.refused()
        assert reason is EndReason.AUTHENTICATION_UNSUITABLE
        assert detail.startswith("the server requires PAP; this client answers only MS-CHAPv2; --allow-method PAP")

    async def test_none_at_all_is_refused_even_without_encryption(self, stage: Stage):
        server = await stage.serve(asks(""))
        reason, detail = await stage.refused(**CLEAR)
        assert reason is EndReason.AUTHENTICATION_UNSUITABLE
        assert "the server asks for no log-in, so that it proves nothing either" in detail
        assert "--allow-method CHAP-MD5 --encryption off would go on without, but sends all data in clear" in detail
        assert not [line for line in server.heard if line.startswith("[IPCP")]

    async def test_none_at_all_is_what_who_allows_a_method_without_proof_gets(self, stage: Stage):
        await stage.serve(with_rules(asks(""), on("LCP up", "[IPCP ConfReq id=0x1 <addr 192.168.2.2>]"), *IPCP_GIVES))
        await stage.connect(methods=(AuthMethod.CHAP_MD5,), **CLEAR)
        assert stage.connected["encryption"] == "none: data goes in clear"
        await stage.carry()

    @pytest.mark.parametrize(("auth", "words"), [("<auth pap> ", "requires PAP"), ("", "asks for no log-in")])
    async def test_a_weaker_one_when_the_link_is_negotiated_anew_ends_the_session(self, stage: Stage, auth, words):
        server = await stage.serve(PPTPD)
        await stage.connect()
        server.script = asks(auth)
        server.say(*server.script.rules[0].said)
        reason, detail = await stage.end()
        assert reason is EndReason.AUTHENTICATION_UNSUITABLE
        assert words in detail
        assert not [line for line in server.heard if line.startswith("[PAP")]

    async def test_who_logs_in_to_us_is_not_heard(self, stage: Stage):
        """A server that asks us to believe it: we demand nothing, so there is nothing to answer."""
        ours = '[CHAP Response id=0x1 <00112233445566778899aabbccddeeff>, name = "server"]'
        theirs = '[PAP AuthReq id=0x1 user="server" password="x"]'
        server = await stage.serve(with_rules(PPTPD, on("LCP up", theirs, ours, *PPTPD.rules[2].said)))
        await stage.connect()
        await stage.carry()
        assert server.complaints == []


class ProofTests:
    """Who cannot prove that it knows the password is not the server (B-080, B-083)."""

    @pytest.mark.parametrize(
        "text", ["S=" + "0" * 40, "S={challenge}", "", "M=Access granted", "S={proof}00 M=too long", "s={proof}"]
    )
    async def test_a_wrong_or_missing_proof_ends_it_before_anything_else_is_said(self, stage: Stage, text):
        script = with_rules(PPTPD, on(ADMITS.heard, f'[CHAP Success id={{id}} "{text}"]'))
        server = await stage.serve(script)
        reason, detail = await stage.refused()
        assert reason is EndReason.SERVER_NOT_GENUINE
        assert "may be an impostor" in detail
        assert not [line for line in server.heard if line.startswith(("[IPCP", "[CCP"))]

    async def test_digits_in_lower_case_prove_as_much(self, stage: Stage):
        lower = '[CHAP Success id={id} "S={lower} M=ok"]'
        await stage.serve(with_rules(PPTPD, on(ADMITS.heard, lower, f"[CCP ConfReq id=0x1 {MPPE}]")))
        await stage.connect()

    async def test_an_impostor_that_admits_everybody_learns_no_password_and_gets_no_data(self, stage: Stage):
        server = await stage.serve(
            with_rules(PPTPD, on("wrong response", '[CHAP Success id={id} "S=' + "A" * 40 + '"]')), password="a guess"
        )
        reason, _ = await stage.refused()
        assert reason is EndReason.SERVER_NOT_GENUINE
        assert server.heard_inside == []

    async def test_a_refused_password_is_told_in_words(self, stage: Stage):
        await stage.serve(PPTPD, password="another")
        reason, detail = await stage.refused()
        assert reason is EndReason.AUTHENTICATION_REFUSED
        assert "wrong user name or password (error 691, Access denied)" in detail


class EncryptionTests:
    """Encryption weaker than allowed, or none."""

    async def test_shorter_keys_are_refused_with_the_option_and_its_danger(self, stage: Stage):
        weak = "<mppe +H -M -S +L -D -C>"
        script = with_rules(
            PPTPD,
            on(ADMITS.heard, *ADMITS.said, f"[CCP ConfReq id=0x1 {weak}]"),
            on(f"[CCP ConfNak id={{id}} {MPPE}]", f"[CCP ConfReq id=0x2 {weak}]"),
            on("[CCP ConfReq id={id} <mppe *>]", f"[CCP ConfNak id={{id}} {weak}]"),
        )
        await stage.serve(script)
        reason, detail = await stage.refused()
        assert reason is EndReason.ENCRYPTION_UNSUITABLE
        assert detail == (
            "the server offers MPPE 40 bit; this client requires MPPE 128 bit; --key-bits 40 would agree to that, but "
            "whoever records the traffic finds so short a key by trying all"
        )

    async def test_shorter_keys_are_taken_by_who_asks_for_them(self, stage: Stage):
        weak = "<mppe +H -M -S +L -D -C>"
        script = with_rules(
            PPTPD,
            on(ADMITS.heard, *ADMITS.said, f"[CCP ConfReq id=0x1 {weak}]"),
            on(f"[CCP ConfReq id={{id}} {weak}]", f"[CCP ConfAck id={{id}} {weak}]"),
            on("[CCP ConfReq id={id} <mppe *>]", f"[CCP ConfNak id={{id}} {weak}]"),
        )
        await stage.serve(script)
        await stage.connect(key_bits=frozenset({128, 40}))
        assert stage.connected["encryption"] == "MPPE 40 bit"
        await stage.carry()

    @pytest.fixture
    def plain(self):
        """RouterOS with encryption switched off: CCP is unknown to it."""
        return with_rules(
            MIKROTIK,
            on(ADMITS.heard, *ADMITS.said, "[IPCP ConfReq id=0x1 <addr 192.168.88.1>]"),
            on("[CCP ConfReq id={id} *]", "[LCP ProtRej id=0x2 80 fd 01 01 00 0a 12 06 01 00 00 40]"),
        )

    async def test_none_is_refused_with_the_option_and_its_danger(self, stage: Stage, plain):
        await stage.serve(plain)
        reason, detail = await stage.refused()
        assert reason is EndReason.ENCRYPTION_UNSUITABLE
        assert detail == (
            "the server refuses CCP, without which there is no encryption; this client requires MPPE 128 bit; "
            "--encryption optional would go on without, but sends all data in clear"
        )

    async def test_none_is_what_who_allows_it_gets(self, stage: Stage, plain):
        await stage.serve(plain)
        await stage.connect(encryption="optional")
        assert stage.connected["encryption"] == "none: data goes in clear"
        await stage.carry()


class AddressTests:
    """Addresses that no end of a link can have (what this machine has itself: tests/daemon/client/test_granted.py)."""

    @pytest.mark.parametrize("address", ["127.0.0.1", "224.0.0.5", "0.1.2.3", "255.255.255.255", "240.0.0.1"])
    async def test_ours_is_not_taken_and_named(self, stage: Stage, address):
        await stage.serve(replace(PPTPD, address=address))
        reason, detail = await stage.refused()
        assert reason is EndReason.NO_ADDRESS
        assert detail == f"the peer gives out {address}, which no end of a link can have"

    async def test_0_0_0_0_is_none(self, stage: Stage):
        await stage.serve(replace(PPTPD, address="0.0.0.0"))
        reason, detail = await stage.refused()
        assert (reason, detail) == (EndReason.NO_ADDRESS, "the peer gives out no IPv4 address")

    @pytest.mark.parametrize("address", ["127.0.0.1", "224.0.0.5", "0.0.0.0"])
    async def test_the_servers_own_is_left_out(self, stage: Stage, address):
        script = with_rules(
            PPTPD,
            on("CCP up", f"[IPCP ConfReq id=0x1 <addr {address}>]"),
            on(f"[IPCP ConfRej id=0x1 <addr {address}>]", "[IPCP ConfReq id=0x2]"),
        )
        await stage.serve(script)
        await stage.connect()
        assert stage.connected["server"] == "0.0.0.0"
        await stage.carry()

    async def test_dns_servers_that_can_be_none_are_left_out(self, stage: Stage):
        given = "<addr {address}> <ms-dns2 10.1.1.1>"
        named = "<addr {address}> <ms-dns1 127.0.0.53> <ms-dns2 10.1.1.1>"
        script = with_rules(
            PPTPD,
            on("[IPCP ConfReq id={id} *]", "[IPCP TermAck id={id}]", before="CCP up"),
            on("[IPCP ConfReq id={id} <addr 0.0.0.0> *]", f"[IPCP ConfNak id={{id}} {named}]", times=1),
            on(f"[IPCP ConfReq id={{id}} {given}]", f"[IPCP ConfAck id={{id}} {given}]"),
        )
        await stage.serve(script)
        await stage.connect(dns=Dns())
        (session,) = stage.place.client._attempt._driver.tunnel.sessions
        assert session.interface.dns == (IPv4Address("10.1.1.1"),)


class DataTests:
    """What nobody vouched for does not come in."""

    async def test_nothing_in_clear_comes_in_before_or_beside_encryption(self, stage: Stage):
        forged = pcap.ipv4(BEYOND, PPTPD.address, 17, b"forged")
        server = await stage.serve(PPTPD)
        await stage.connect()
        server.send_inside(forged, clear=True)
        await stage.carry()
        (call_id,) = stage.place.client._calls
        assert stage.place.client._data_path.counters(call_id).dropped_not_encrypted == 1

    async def test_nothing_comes_in_while_the_link_is_negotiated(self, stage: Stage):
        forged = pcap.ipv4(BEYOND, PPTPD.address, 17, b"forged")
        server = await stage.serve(PPTPD)
        heard: list[str] = server.heard
        task = stage.place.start()
        await until(lambda: heard)
        for _ in range(3):
            server.send_inside(forged, clear=True)
        await until(lambda: stage.place.log.about("connected"))
        assert stage.place.systems[0].receive() == []
        (call_id,) = stage.place.client._calls
        assert stage.place.client._data_path.counters(call_id).dropped_not_open == 3
        stage.place.stop.set()
        await task
