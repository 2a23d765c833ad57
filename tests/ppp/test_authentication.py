"""Both directions of the authenticate phase as one."""

from tests.sim.ppp_pair import GRANT, PASSWORD, client, pseudo_random, server

from openpptp.credentials import Accepted, AuthMethod, MppeStartKeys, Refused
from openpptp.machine import Note
from openpptp.ppp.auth.outputs import PeerProved, SendPacket, WeProved
from openpptp.ppp.authentication import Authentication
from openpptp.ppp.outputs import PeerAuthenticated, WeAuthenticated
from openpptp.ppp.settings import Caller
from openpptp.wire.ppp import Packet, Protocol

THEIRS = MppeStartKeys(b"t" * 16, b"T" * 16, b"t" * 8, b"T" * 8)
OURS = MppeStartKeys(b"o" * 16, b"O" * 16, b"o" * 8, b"O" * 8)
V2 = AuthMethod.MSCHAP_V2


def two_way(caller=Caller.PEER):
    return Authentication(server(our_password=PASSWORD, caller=caller), V2, V2, pseudo_random(1))


class AuthenticationPhaseTests:
    """RFC 1661 section 3.5."""

    def test_done_when_every_direction_is(self):
        phase = two_way()
        assert not phase.done
        assert phase._translate(phase._theirs, [PeerProved(Accepted("alice", GRANT, keys=THEIRS))]) == [
            PeerAuthenticated("alice", V2)
        ]
        assert not phase.done
        assert phase._translate(phase._ours, [WeProved(OURS)]) == [WeAuthenticated(V2)]
        assert phase.done

    def test_r227_the_callers_credentials_make_the_keys(self):
        for caller, keys in ((Caller.PEER, THEIRS), (Caller.WE, OURS)):
            phase = two_way(caller)
            phase._translate(phase._ours, [WeProved(OURS)])
            phase._translate(phase._theirs, [PeerProved(Accepted("alice", keys=THEIRS))])
            assert phase.keys is keys

    def test_one_direction_makes_the_keys_alone(self):
        phase = Authentication(client(), None, V2, pseudo_random(1))
        phase._translate(phase._ours, [WeProved(OURS)])
        assert phase.keys is OURS
        assert phase.done

    def test_q56_what_is_proved_again_changes_nothing(self):
        phase = two_way()
        phase._translate(phase._theirs, [PeerProved(Accepted("alice", GRANT, keys=THEIRS))])
        (note,) = phase._translate(phase._theirs, [PeerProved(Accepted("mallory", keys=OURS))])
        assert isinstance(note, Note)
        assert phase.keys is THEIRS
        assert phase.accepted.user == "alice"

    def test_b072_other_protocol_than_agreed_is_dropped(self):
        phase = Authentication(server(), V2, None, pseudo_random(1))
        assert isinstance(phase.start(0.0)[0], SendPacket)
        assert phase.receive(Protocol.PAP, Packet(1, 1, b"\x03bob\x01x"), 0.0) == []
        assert phase.receive(Protocol.EAP, Packet(1, 1, b"\x01"), 0.0) == []

    def test_nothing_agreed_is_done_at_once(self):
        phase = Authentication(server(), None, None, pseudo_random(1))
        assert phase.done
        assert phase.start(0.0) == []
        assert phase.deadline is None
        assert phase.credentials_checked(Refused("?"), 0.0) == []
        assert (phase.keys, phase.methods, phase.proves_us) == (None, (), False)
