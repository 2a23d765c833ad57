"""What a server grants, against what this machine has already."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest
from tests.daemon.client.test_host import GRANTED, SERVER

from openpptp.daemon.client.granted import granted
from openpptp.errors import SetupError

HOME = (IPv4Interface("127.0.0.1/8"), "lo"), (IPv4Interface("192.168.1.20/24"), "eth0")


def address(text: str) -> IPv4Address:
    return IPv4Address(text)


class OurAddressTests:
    """The one thing without which there is no tunnel."""

    def test_one_of_the_servers_own_range_is_taken_without_a_word(self):
        given = granted(GRANTED, SERVER, HOME)
        assert (given.address, given.peer, given.dns, given.warnings) == (
            GRANTED.our_address,
            GRANTED.peer_address,
            GRANTED.dns,
            (),
        )

    @pytest.mark.parametrize(
        ("ours", "why"),
        [
            (str(SERVER), "203.0.113.1, which is the one we call it at: the tunnel's own packets would never leave"),
            ("192.168.1.20", "192.168.1.20, which this machine has already, on eth0"),
        ],
    )
    def test_one_that_would_cut_the_tunnel_or_this_machine_off_is_refused(self, ours, why):
        with pytest.raises(SetupError, match=why):
            granted(replace(GRANTED, our_address=address(ours)), SERVER, HOME)

    def test_one_in_a_network_of_this_machine_is_taken_and_said(self):
        given = granted(replace(GRANTED, our_address=address("192.168.1.77")), SERVER, HOME)
        assert given.address == address("192.168.1.77")
        assert given.warnings == (
            "the server gives us 192.168.1.77, which lies in this machine's own network 192.168.1.0/24 on eth0; "
            "what has it there is not reached now",
        )

    def test_ipv6_alone_needs_none(self):
        given = granted(replace(GRANTED, our_address=None, peer_address=None, dns=()), SERVER, HOME)
        assert (given.address, given.peer, given.warnings) == (None, None, ())


class PeerTests:
    """The server's own inner address: nothing of ours may be led into the tunnel by it."""

    @pytest.mark.parametrize(
        ("peer", "why"),
        [
            (str(SERVER), "the one we call it at"),
            ("192.168.1.20", "this machine's own, on eth0"),
            ("192.168.1.1", "one in this machine's own network 192.168.1.0/24 on eth0"),
        ],
    )
    def test_what_is_ours_or_carries_the_tunnel_gets_no_route(self, peer, why):
        given = granted(replace(GRANTED, peer_address=address(peer)), SERVER, HOME)
        assert given.peer is None
        assert given.warnings == (
            f"the server calls itself {peer} in the tunnel, which is {why}; no route leads there through it",
        )

    def test_none_is_nothing_to_speak_of(self):
        given = granted(replace(GRANTED, peer_address=address("0.0.0.0")), SERVER, HOME)
        assert (given.peer, given.warnings) == (None, ())


class DnsTests:
    """DNS servers, which get a route each."""

    def test_this_machine_is_none(self):
        given = granted(replace(GRANTED, dns=(address("192.168.1.20"), address("10.9.0.53"))), SERVER, HOME)
        assert given.dns == (address("10.9.0.53"),)
        assert "192.168.1.20, which is this machine, on eth0" in given.warnings[0]

    def test_one_that_hides_a_neighbour_is_said(self):
        given = granted(replace(GRANTED, dns=(address("192.168.1.1"),)), SERVER, HOME)
        assert given.dns == (address("192.168.1.1"),)
        assert "192.168.1.1, which lies in this machine's own network 192.168.1.0/24 on eth0" in given.warnings[0]
