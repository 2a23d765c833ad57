"""Addresses given, asked and refused."""

from ipaddress import IPv4Address

import pytest
from tests.play import play
from tests.sim.ppp_pair import GRANT

from openpptp.errors import EndReason, PeerViolation
from openpptp.ppp.automaton import LayerUp
from openpptp.ppp.ipcp import Ipcp
from openpptp.ppp.outputs import Ipv4Up

GIVEN, OURS = GRANT.peer_address, GRANT.our_address


def giving():
    """Return a conversation with an end that gives addresses, its own request out."""
    return play(Ipcp(GRANT, None, dns=False, wins=False)) << "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]"


def asking(*, dns=True, wins=False):
    """Return a conversation with an end that asks."""
    return play(Ipcp(None, None, dns=dns, wins=wins))


class IpAddressTests:
    """RFC 1332 section 3.3. IP-Address."""

    def test_r172_zero_asks_and_nak_gives(self):
        assert (
            giving() >> "[IPCP ConfReq id=0x1 <addr 0.0.0.0>]" << "[IPCP ConfNak id=0x1 <addr 10.9.0.2>]"
            >> "[IPCP ConfReq id=0x2 <addr 10.9.0.2>]" << "[IPCP ConfAck id=0x2 <addr 10.9.0.2>]"
        )  # fmt: skip

    def test_r173_address_is_named_to_who_does_not_ask(self):
        assert giving() >> "[IPCP ConfReq id=0x1]" << "[IPCP ConfNak id=0x1 <addr 10.9.0.2>]"

    @pytest.mark.parametrize(
        "wish", ["0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.5", "10.9.0.1", "10.9.0.3", "10.9.0.0"]
    )
    def test_b087_no_address_but_the_assigned_one(self, wish):
        conversation = giving()
        for number in range(1, 6):
            conversation >> f"[IPCP ConfReq id={number:#x} <addr {wish}>]"
            conversation << f"[IPCP ConfNak id={number:#x} <addr 10.9.0.2>]"
        conversation >> f"[IPCP ConfReq id=0x6 <addr {wish}>]"
        assert conversation.violation.reason is EndReason.NO_ADDRESS
        words = f"the peer is given the IPv4 address 10.9.0.2 and asks for {wish} instead, again and again"
        assert str(conversation.violation) == words

    def test_b087_peer_that_never_asks(self):
        conversation = giving()
        for number in range(1, 7):
            conversation >> f"[IPCP ConfReq id={number:#x}]"
        assert conversation.violation.reason is EndReason.NO_ADDRESS
        assert "asks for none instead" in str(conversation.violation)

    def test_our_address_stands_whatever_the_peer_suggests(self):
        conversation = giving()
        for number in range(1, 6):
            conversation >> f"[IPCP ConfNak id={number:#x} <addr 10.1.1.1>]"
            conversation << f"[IPCP ConfReq id={number + 1:#x} <addr 10.9.0.1>]"
        assert conversation >> "[IPCP ConfNak id=0x6 <addr 10.1.1.1>]" << "[IPCP ConfReq id=0x7]"

    def test_our_address_goes_unsaid_to_who_rejects_it(self):
        assert giving() >> "[IPCP ConfRej id=0x1 <addr 10.9.0.1>]" << "[IPCP ConfReq id=0x2]"

    def test_wrong_length_is_nakked(self):
        assert giving() >> b"\xff\x03\x80\x21\x01\x01\x00\x07\x03\x03\x0a" << "[IPCP ConfNak id=0x1 <addr 10.9.0.2>]"

    def test_client_takes_what_it_is_given(self):
        conversation = asking() << "[IPCP ConfReq id=0x1 <addr 0.0.0.0> <ms-dns1 0.0.0.0> <ms-dns2 0.0.0.0>]"
        conversation >> "[IPCP ConfRej id=0x1 <ms-dns2 0.0.0.0>]"
        conversation << "[IPCP ConfReq id=0x2 <addr 0.0.0.0> <ms-dns1 0.0.0.0>]"
        conversation >> "[IPCP ConfNak id=0x2 <addr 192.168.2.234> <ms-dns1 192.168.2.1>]"
        conversation << "[IPCP ConfReq id=0x3 <addr 192.168.2.234> <ms-dns1 192.168.2.1>]"
        conversation >> "[IPCP ConfReq id=0x1 <addr 192.168.2.2>]" << "[IPCP ConfAck id=0x1 <addr 192.168.2.2>]"
        conversation >> "[IPCP ConfAck id=0x3 <addr 192.168.2.234> <ms-dns1 192.168.2.1>]"
        assert conversation.told(LayerUp)
        assert conversation.machine.agreed() == Ipv4Up(
            IPv4Address("192.168.2.234"), IPv4Address("192.168.2.2"), (IPv4Address("192.168.2.1"),)
        )

    def test_client_without_an_address_has_no_session(self):
        conversation = asking() >> "[IPCP ConfRej id=0x1 <addr 0.0.0.0>]"
        assert conversation.violation.reason is EndReason.NO_ADDRESS
        conversation = asking().hush()
        for number in range(1, 7):
            conversation >> f"[IPCP ConfNak id={number:#x} <addr 0.0.0.0>]"
        assert conversation.violation.reason is EndReason.NO_ADDRESS

    def test_client_told_that_zero_suits_has_no_session(self):
        conversation = asking(dns=False) >> "[IPCP ConfAck id=0x1 <addr 0.0.0.0>]" >> "[IPCP ConfReq id=0x1]"
        with pytest.raises(PeerViolation, match="gives out no IPv4 address"):
            conversation.machine.agreed()

    @pytest.mark.parametrize("address", ["0.0.0.1", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"])
    def test_client_takes_no_address_that_none_can_have_and_names_it(self, address):
        conversation = asking(dns=False).hush()
        for number in range(1, 7):
            conversation >> f"[IPCP ConfNak id={number:#x} <addr {address}>]"
        assert conversation.violation.reason is EndReason.NO_ADDRESS
        assert str(conversation.violation) == f"the peer gives out {address}, which no end of a link can have"

    @pytest.mark.parametrize(
        "address", ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.1.1.1", "255.255.255.255"]
    )
    def test_client_rejects_what_no_server_can_have(self, address):
        assert asking().hush() >> f"[IPCP ConfReq id=0x1 <addr {address}>]" << f"[IPCP ConfRej id=0x1 <addr {address}>]"


class OtherOptionsTests:
    """RFC 1332 sections 3.1 and 3.2, RFC 1877 section 1."""

    def test_b089_r174_r175_old_addresses_vj_and_unknown_are_rejected(self):
        options = "01 0a 0a 09 00 02 0a 09 00 01 02 06 00 2d ff 01 c8 03 00"
        packet = bytes.fromhex("ff03 8021 01 01 0017" + options.replace(" ", ""))
        (said,) = (giving() >> packet).frames
        assert said.startswith("[IPCP ConfRej id=0x1 <")
        assert said.count("<") == 3

    def test_q80_windows_asks_for_five_and_gets_reject_then_nak(self):
        servers = "<ms-dns1 0.0.0.0> <ms-wins 0.0.0.0> <ms-dns2 0.0.0.0> <ms-wins2 0.0.0.0>"
        conversation = (
            giving()
            >> f"[IPCP ConfReq id=0x7 <addr 0.0.0.0> {servers}]"
            << "[IPCP ConfRej id=0x7 <ms-wins 0.0.0.0> <ms-wins2 0.0.0.0>]"
            >> "[IPCP ConfReq id=0x8 <addr 0.0.0.0> <ms-dns1 0.0.0.0> <ms-dns2 0.0.0.0>]"
            << "[IPCP ConfNak id=0x8 <addr 10.9.0.2> <ms-dns1 10.9.0.53> <ms-dns2 10.9.0.54>]"
            >> "[IPCP ConfReq id=0x9 <addr 10.9.0.2> <ms-dns1 10.9.0.53> <ms-dns2 10.9.0.54>]"
            << "[IPCP ConfAck id=0x9 <addr 10.9.0.2> <ms-dns1 10.9.0.53> <ms-dns2 10.9.0.54>]"
        )  # fmt: skip
        assert conversation

    def test_r176_wins_is_asked_where_wanted(self):
        assert (
            asking(dns=False, wins=True) << "[IPCP ConfReq id=0x1 <addr 0.0.0.0> <ms-wins 0.0.0.0> <ms-wins2 0.0.0.0>]"
        )

    def test_nak_with_no_server_means_none(self):
        conversation = asking().hush() >> "[IPCP ConfNak id=0x1 <ms-dns1 0.0.0.0> <ms-dns2 9.9.9.9>]"
        assert conversation << "[IPCP ConfReq id=0x2 <addr 0.0.0.0> <ms-dns2 9.9.9.9>]"

    def test_r170_codes_beyond_seven_are_rejected(self):
        assert giving() >> b"\xff\x03\x80\x21\x09\x01\x00\x04" << "[IPCP CodeRej *]"
