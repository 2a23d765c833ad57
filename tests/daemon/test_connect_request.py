"""What the client is asked to do."""

import pytest

from openpptp.credentials import AuthMethod
from openpptp.daemon.connect_request import ConnectRequest, Dns, path_mru
from openpptp.ppp.settings import EncryptionPolicy

REQUEST = ConnectRequest(("vpn.example",), "alice", "s3cret")


class ConnectRequestTests:
    """Defaults and what the core is given."""

    def test_the_defaults_are_safe_b082(self):
        link = REQUEST.link(1460)
        assert link.answer_with == (AuthMethod.MSCHAP_V2,)
        assert link.encryption == EncryptionPolicy()
        assert link.authenticate_peer == ()
        assert not link.request_dns
        assert REQUEST.tunnel(1460).accepts == frozenset()
        assert REQUEST.while_down == "hold"

    def test_p28_the_password_is_never_printed(self):
        assert "s3cret" not in repr(REQUEST) + repr(REQUEST.link(1460)) + repr(REQUEST.tunnel(1460))
        assert REQUEST.link(1460).our_password == "s3cret"
        assert REQUEST.with_password("other").password == "other"

    def test_stateful_is_asked_for(self):
        request = ConnectRequest(("h",), "u", "p", stateful=True, encryption="optional")
        policy = request.link(1460).encryption
        assert policy == EncryptionPolicy(required=False, stateful=True, prefer_stateful=True)

    def test_the_servers_dns_is_asked_for_only_when_wanted(self):
        assert ConnectRequest(("h",), "u", "p", dns=Dns()).link(1460).request_dns
        assert not ConnectRequest(("h",), "u", "p", dns=Dns(of_server=False)).link(1460).request_dns

    def test_a_server_is_silent_for_as_long_as_its_echoes_are_waited_for(self):
        assert REQUEST.silence() == 100.0
        assert ConnectRequest(("h",), "u", "p", echo_interval=0).silence() == 120.0

    @pytest.mark.parametrize(("mtu", "mru"), [(1500, 1460), (1492, 1452), (1400, 1360), (9000, 1460), (65536, 1460)])
    def test_q48_what_the_way_carries(self, mtu, mru):
        assert path_mru(mtu) == mru
        assert REQUEST.tunnel(mru).path_mru == mru
        assert REQUEST.link(mru).mru == min(1400, mru)
