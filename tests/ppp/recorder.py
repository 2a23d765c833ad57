"""An automaton that writes down what it does, for the tests of table and automaton."""

from openpptp.ppp.automaton import Automaton, RestartTimer, Send
from openpptp.ppp.fsm import TABLE, State
from openpptp.ppp.options import ACK, REJECT, Nak, NegotiableOption
from openpptp.wire.ppp import Code, Packet, Protocol


class Number(NegotiableOption):
    """An option of two octets that likes even numbers."""

    type = 9

    def __init__(self):
        super().__init__()
        self.value = b"\0\x02"

    def ask(self):
        return self.value

    def judge(self, value):
        if len(value) != 2:
            return REJECT
        return ACK if value[1] % 2 == 0 else Nak(b"\0\x04")

    def nakked(self, value):
        self.value = value

    def rejected(self):
        self.value = None


class Recorder(Automaton):
    """An automaton that writes its actions down."""

    protocol = Protocol.IPCP

    def __init__(self, state=State.INITIAL):
        super().__init__(RestartTimer())
        self.state = state
        self.actions = []
        self._answer = Packet(Code.CONFIGURE_ACK, 1)
        self._received = Packet(99, 7, b"data")
        self._restart_counter = 5

    def new_options(self):
        self.option = Number()
        return (self.option,)

    def fire(self, event, now):
        for name in TABLE[event, self.state].actions:
            self.actions.append(name.rstrip("_"))
        return super().fire(event, now)


REQUEST = Packet(Code.CONFIGURE_REQUEST, 1, b"\x09\x04\0\x06")


def sent(outputs):
    return [output.packet for output in outputs if isinstance(output, Send)]


def opened():
    """Return an automaton in Opened, its request having had Identifier 1."""
    automaton = Recorder()
    automaton.open(0.0)
    (request,) = sent(automaton.up(0.0))
    automaton.receive(REQUEST, 0.0)
    automaton.receive(Packet(Code.CONFIGURE_ACK, request.identifier, request.data), 0.0)
    assert automaton.state is State.OPENED
    automaton.actions.clear()
    return automaton
