"""What the client is asked to do."""

from openpptp.credentials import AuthMethod
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.ppp.settings import EncryptionPolicy

REQUEST = ConnectRequest("vpn.example", "alice", "s3cret")


class ConnectRequestTests:
    """Defaults and what the core is given."""

    def test_the_defaults_are_safe_b082(self):
        link = REQUEST.link()
        assert link.answer_with == (AuthMethod.MSCHAP_V2,)
        assert link.encryption == EncryptionPolicy()
        assert link.authenticate_peer == ()
        assert REQUEST.tunnel().accepts == frozenset()

    def test_p28_the_password_is_never_printed(self):
        assert "s3cret" not in repr(REQUEST) + repr(REQUEST.link()) + repr(REQUEST.tunnel())
        assert REQUEST.link().our_password == "s3cret"

    def test_stateful_is_asked_for(self):
        policy = ConnectRequest("h", "u", "p", stateful=True, encryption="optional").link().encryption
        assert policy == EncryptionPolicy(required=False, stateful=True, prefer_stateful=True)
