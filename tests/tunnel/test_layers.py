"""Layers: every order in which a link can open leads to the same interface, and no other."""

from ipaddress import IPv4Address
from itertools import permutations

import pytest

from openpptp.credentials import AuthMethod, Encryption
from openpptp.ppp import outputs as ppp
from openpptp.ppp.settings import EncryptionPolicy, LinkSettings
from openpptp.tunnel.layers import ENCRYPTION_GRACE, NETWORK_GRACE, Layers

OPENED = ppp.LinkOpened(1400, compress_address_control=False, compress_protocol=False)
PROVED = ppp.PeerAuthenticated("bob", AuthMethod.MSCHAP_V2)
KEYS = ppp.EncryptionUp(Encryption(b"s" * 16, 128, False), Encryption(b"r" * 16, 128, False))
IPV4 = ppp.Ipv4Up(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"))
IPV6 = ppp.Ipv6Up(b"ourident", b"itsident")


def layers(*outputs: object, policy: EncryptionPolicy | None = None, ipv6: bool = False) -> Layers:
    made = Layers(1, LinkSettings(encryption=policy or EncryptionPolicy(), ipv6=ipv6), 1460)
    for output in outputs:
        made.take(output)  # type: ignore[arg-type]
    return made


class InterfaceTests:
    """House section 5, step 8."""

    @pytest.mark.parametrize("order", list(permutations([KEYS, IPV4, IPV6])))
    def test_the_order_of_opening_does_not_matter(self, order):
        made = layers(OPENED, PROVED, ipv6=True)
        for output in order:
            assert made.interface(0.0, up=False) is None
            made.take(output)
        found = made.interface(0.0, up=False)
        assert found is not None
        assert (found.our_address, found.peer_identifier, found.mtu) == (IPV4.our_address, b"itsident", 1396)

    @pytest.mark.parametrize("lost", [ppp.EncryptionDown(), ppp.Ipv4Down()])
    def test_what_goes_down_takes_the_interface_along(self, lost):
        made = layers(OPENED, PROVED, KEYS, IPV4)
        assert made.interface(0.0, up=False) is not None
        made.take(lost)
        assert made.interface(1.0, up=True) is None
        assert made.deadline is None

    def test_the_longest_wait_counts_and_only_while_nothing_is_up(self):
        made = layers(OPENED, PROVED, IPV4, policy=EncryptionPolicy(required=False), ipv6=True)
        assert made.interface(0.0, up=False) is None
        assert made.deadline == (ENCRYPTION_GRACE, "optional encryption (CCP)")
        made.take(ppp.EncryptionDeclined())
        assert made.interface(0.1, up=False) is None
        assert made.deadline == (NETWORK_GRACE, "the other network protocol")
        assert made.interface(0.2, up=True) is not None
        assert made.interface(NETWORK_GRACE, up=False) is not None

    def test_ipv6_that_the_peer_does_without_is_not_waited_for(self):
        made = layers(OPENED, PROVED, KEYS, IPV4, ipv6=True)
        assert made.interface(0.0, up=False) is None
        made.take(ppp.Ipv6Declined())
        assert made.interface(0.0, up=False) is not None

    def test_nothing_is_up_before_lcp_is(self):
        assert layers(IPV4, policy=EncryptionPolicy(enabled=False, required=False)).interface(0.0, up=False) is None

    def test_a_client_that_also_asks_is_named_after_the_peer_that_proved_itself(self):
        assert layers(PROVED, ppp.WeAuthenticated(AuthMethod.MSCHAP_V2)).user == "bob"
