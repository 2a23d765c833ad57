"""Password Authentication Protocol, both sides (RFC 1334 section 2)."""

from openpptp.credentials import Accepted, AuthMethod, PapPresented, Refused
from openpptp.errors import BadMessage, EndReason, Misuse
from openpptp.machine import Deadline, Output, Random
from openpptp.ppp.auth.authenticator import Authenticator, Phase
from openpptp.ppp.auth.machine import MAX_TRANSMISSIONS, PATIENCE, ignored, printable_text, retransmission_delay
from openpptp.ppp.auth.outputs import SendPacket
from openpptp.ppp.auth.peer import Peer, Standing
from openpptp.wire.auth import PapCode, PapReply, PapRequest
from openpptp.wire.ppp import Packet, Protocol


class PapAuthenticator(Authenticator):
    """Wait for an Authenticate-Request, answer Ack or Nak (RFC 1334 section 2.2)."""

    method = AuthMethod.PAP

    def __init__(self, refusal_delay: float) -> None:
        super().__init__(refusal_delay)
        self._request: PapRequest | None = None
        self._identifier = 0

    def start(self, now: float) -> list[Output]:
        """Wait: with PAP the peer speaks first."""
        self._begin()
        self.deadline = Deadline(now + PATIENCE, "wait for PAP Authenticate-Request")
        return []

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Ask about the first Authenticate-Request; give a repeated one the result there is."""
        if packet.code != PapCode.AUTHENTICATE_REQUEST:
            return []
        try:
            request = PapRequest.decode(packet.data)
        except BadMessage as error:
            return ignored(str(error))
        match self._phase:
            case Phase.WAITING:
                self._request, self._identifier = request, packet.identifier
                return self._ask(PapPresented(request.peer_id, request.password), now)
            case Phase.CHECKING | Phase.HOLDING if request == self._request:
                # Section 2.2.1: each repetition has a new Identifier, and the peer waits for the newest.
                self._identifier = packet.identifier
                return []
            case Phase.PROVED | Phase.REFUSED if self._result is not None:
                # Section 2.2.1: the same reply code as before, never a second guess.
                self._identifier = packet.identifier
                old = self._result.packet
                return [SendPacket(Protocol.PAP, Packet(old.code, packet.identifier, old.data))]
            case _:
                return ignored("PAP Authenticate-Request out of turn")

    def _acceptance(self, accepted: Accepted) -> SendPacket:
        return self._reply(PapCode.AUTHENTICATE_ACK, "Access granted")

    def _refusal(self, refused: Refused) -> SendPacket:
        return self._reply(PapCode.AUTHENTICATE_NAK, refused.message)

    def _reply(self, code: PapCode, message: str) -> SendPacket:
        return SendPacket(Protocol.PAP, Packet(code, self._identifier, PapReply(message).encode()))

    def _waited(self, now: float) -> list[Output]:
        return self._give_up("the peer agreed to PAP but sent no Authenticate-Request")


class PapPeer(Peer):
    """Send Authenticate-Request until it is answered (RFC 1334 section 2.2.1)."""

    method = AuthMethod.PAP

    def __init__(self, name: str, password: str, random: Random) -> None:
        super().__init__()
        try:
            self._request = PapRequest(name.encode(), password.encode()).encode()
        except UnicodeEncodeError:
            raise Misuse("a PAP user name or password cannot hold lone surrogates") from None
        self._first = random(1)[0]

    def start(self, now: float) -> list[Output]:
        """Send the first Authenticate-Request."""
        self._begin()
        return self._send(now)

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take Authenticate-Ack or -Nak to any of our requests; a repeated reply changes nothing."""
        if packet.code not in (PapCode.AUTHENTICATE_ACK, PapCode.AUTHENTICATE_NAK):
            return []
        asked = (packet.identifier - self._first) % 256 < self._sent
        if self._standing is not Standing.ASKING or not asked:
            return ignored("PAP reply to a request not sent")
        return self._answered(packet)

    def tick(self, now: float) -> list[Output]:
        """Repeat the request, or give up."""
        if self.deadline is None or now < self.deadline.when:
            return []
        if self._sent < MAX_TRANSMISSIONS:
            return self._send(now)
        return self._fail(EndReason.PEER_SILENT, "the server did not answer our user name and password (PAP)")

    def _send(self, now: float) -> list[Output]:
        identifier = (self._first + self._sent) % 256  # section 2.2.1: changed for each request
        self._sent += 1
        self.deadline = Deadline(now + retransmission_delay(self._sent), "repeat PAP Authenticate-Request")
        return [SendPacket(Protocol.PAP, Packet(PapCode.AUTHENTICATE_REQUEST, identifier, self._request))]

    def _answered(self, packet: Packet) -> list[Output]:
        if packet.code == PapCode.AUTHENTICATE_ACK:
            return self._prove(None)
        try:
            message = printable_text(PapReply.decode(packet.data).message)
        except BadMessage:
            message = ""  # section 2.2.2: the message must not affect operation
        detail = "the server refused our user name or password" + (f": {message}" if message else "")
        return self._fail(EndReason.AUTHENTICATION_REFUSED, detail)
