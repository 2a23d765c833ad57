"""The driver, under machines that follow a script."""

import asyncio
from ipaddress import IPv4Address

import pytest
from tests.daemon.loopback import HOST, Log
from tests.eventually import until

from openpptp.credentials import Encryption, PapPresented, Refused
from openpptp.daemon import driver as driver_module
from openpptp.daemon.driver import SEND_BUFFER_LIMIT, TunnelDriver
from openpptp.datapath.null import NullDataPath
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason
from openpptp.machine import Deadline, Level, Note, Output
from openpptp.tunnel import outputs as tell

CALL = 7
KEY = Encryption(bytes(16), 128, False)
UP = tell.InterfaceUp(CALL, "alice", None, None, (), (), None, None, 1396, True, 128, True, True)
ENDED = tell.SessionEnded(CALL, "alice", EndReason.PEER_REQUEST, "it was enough")
OVER = tell.TunnelEnded(EndReason.PEER_REQUEST, "it was enough")
QUESTION = tell.CheckCredentials(CALL, PapPresented(b"alice", b"secret"))


class Script:
    """A Tunnel that answers each input with what the test put under its name."""

    def __init__(self, **answers) -> None:
        self.answers = answers
        self.inputs: list[tuple[object, ...]] = []
        self.deadline: Deadline | None = None
        self.forgotten = False

    def __getattr__(self, name: str):
        def step(*arguments) -> list[Output]:
            self.inputs.append((name, *arguments[:-1]))
            answer = self.answers.get(name, [])
            if isinstance(answer, Exception):
                raise answer
            return list(answer)

        return step

    def forget(self, now: float) -> None:
        self.forgotten = True

    @property
    def names(self) -> list[object]:
        return [name for name, *_ in self.inputs]


class Owner:
    """Writes down what it is asked; answers questions at once."""

    def __init__(self, data_path: NullDataPath) -> None:
        self.asked: list[Output] = []
        self.counters: Counters | None = None
        self.raises: type[Output] | None = None
        self._data_path = data_path

    def _take(self, output: Output) -> None:
        self.asked.append(output)
        self._data_path.asked.append(("owner", type(output).__name__))
        if self.raises is type(output):
            raise ZeroDivisionError("planted")

    def connected(self, driver, output) -> None:
        self._take(output)

    def check_credentials(self, driver, output) -> None:
        self._take(output)
        driver.credentials_checked(output.call_id, Refused("no"))

    def interface_up(self, driver, output) -> None:
        self._take(output)

    def interface_down(self, driver, output) -> None:
        self._take(output)

    def session_ended(self, driver, output, counters) -> None:
        self.counters = counters
        self._take(output)

    def tunnel_ended(self, driver, output) -> None:
        self._take(output)


class FakeTransport(asyncio.Transport):
    """Writes down what is sent."""

    def __init__(self) -> None:
        super().__init__({"sockname": (HOST, 1723), "peername": ("127.0.0.1", 40000)})
        self.sent: list[bytes] = []
        self.closing = self.aborted = False
        self.limit = self.unsent = 0

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high=None, low=None) -> None:
        self.limit = high

    def write(self, data) -> None:
        assert not self.closing
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


class Stand:
    """A driver on its test stand."""

    def __init__(self, **answers) -> None:
        self.script, self.transport, self.log = Script(**answers), FakeTransport(), Log(10)
        self.data_path = NullDataPath()
        self.owner = Owner(self.data_path)
        self.calls: dict[int, TunnelDriver] = {}
        self.addresses: tuple[IPv4Address, ...] = ()
        self.driver = TunnelDriver(self._make, self.data_path, self.calls, self.owner, self.log.logger)

    def _make(self, local, peer, path_mtu) -> Script:
        self.addresses = (local, peer)
        return self.script

    def connect(self) -> "Stand":
        self.driver.connection_made(self.transport)
        return self


class OutputTests:
    """Outputs are performed, in order."""

    async def test_every_output_of_a_tunnel_has_its_action(self):
        kinds = {each for each in vars(tell).values() if isinstance(each, type) and issubclass(each, Output)} - {Output}
        assert set(TunnelDriver._ACTIONS) == {*kinds, Note}

    async def test_a_session_from_the_first_to_the_last(self):
        stand = Stand(
            receive=[
                *(tell.Connected("there", "Somebody"), tell.OpenPath(CALL), tell.SendStream(b"reply")),
                *(tell.ConnectPath(CALL, 9), tell.SendFrame(CALL, b"\xc0\x21"), tell.EncryptionUp(CALL, KEY, KEY), UP),
                *(tell.EncryptionFlush(CALL), tell.InterfaceDown(CALL), tell.EncryptionDown(CALL)),
                *(tell.ClosePath(CALL), ENDED, tell.CloseStream(), OVER),
            ]
        ).connect()
        stand.driver.data_received(b"x")
        assert stand.data_path.asked == [
            ("owner", "Connected"),
            ("open_call", CALL, IPv4Address("127.0.0.1"), IPv4Address(HOST)),
            ("connect_call", CALL, 9),
            ("send_frame", CALL, b"\xc0\x21"),
            ("encryption_up", CALL, KEY, KEY),
            ("owner", "InterfaceUp"),
            ("encryption_flush", CALL),
            ("interface_down", CALL),
            ("owner", "InterfaceDown"),
            ("encryption_down", CALL),
            ("close_call", CALL),
            ("owner", "SessionEnded"),
            ("owner", "TunnelEnded"),
        ]
        assert stand.transport.sent == [b"reply"]
        assert stand.transport.closing
        assert (stand.calls, stand.driver.ended) == ({}, True)

    async def test_the_last_counters_reach_the_owner(self):
        stand = Stand(receive=[tell.OpenPath(CALL)], frame_received=[tell.ClosePath(CALL), ENDED]).connect()
        stand.driver.data_received(b"x")
        stand.data_path.open_calls[CALL].octets_in = 17
        stand.driver.frame_received(CALL, b"\xc0\x21\x09\x01\x00\x08" + bytes(4))
        assert stand.owner.counters == Counters(octets_in=17)

    async def test_what_an_answer_adds_waits_for_its_turn(self):
        stand = Stand(receive=[QUESTION, tell.SendStream(b"second")], credentials_checked=[tell.SendStream(b"third")])
        stand.connect().driver.data_received(b"x")
        assert stand.transport.sent == [b"second", b"third"]

    async def test_notes_go_to_the_log_at_their_level(self):
        stand = Stand(receive=[Note("one", Level.DEBUG), Note("two"), Note("three", Level.WARNING)]).connect()
        stand.driver.data_received(b"x")
        said = [(line["event"], line["log_level"], line["peer"]) for line in stand.log.lines]
        assert said == [("one", "debug", "127.0.0.1"), ("two", "info", "127.0.0.1"), ("three", "warning", "127.0.0.1")]

    async def test_nothing_is_written_to_a_closing_stream(self):
        stand = Stand(receive=[tell.CloseStream(), tell.SendStream(b"late")]).connect()
        stand.driver.data_received(b"x")
        assert stand.transport.sent == []

    async def test_frames_are_shown_at_debug_level(self):
        stand = Stand(receive=[tell.OpenPath(CALL), tell.ConnectPath(CALL, 9), tell.SendFrame(CALL, b"\xc0\x21")])
        stand.connect().driver.data_received(b"x")
        assert any(line["event"].startswith("sent ") for line in stand.log.lines)


class InputTests:
    """Every input reaches the machine, with the time as its last argument."""

    async def test_inputs(self):
        stand = Stand().connect()
        stand.driver.data_received(b"data")
        stand.driver.frame_received(CALL, b"\xc0\x21")
        stand.driver.encryption_lost(CALL, True)
        stand.driver.disconnect(CALL, EndReason.IDLE)
        stand.driver.stop(EndReason.SHUTDOWN)
        stand.driver.connection_lost(None)
        assert stand.script.inputs == [
            ("connected",),
            ("receive", b"data"),
            ("frame_received", CALL, b"\xc0\x21"),
            ("encryption_lost", CALL, True),
            ("disconnect", CALL, EndReason.IDLE),
            ("stop", EndReason.SHUTDOWN),
            ("stream_closed",),
        ]
        assert stand.addresses == (IPv4Address(HOST), IPv4Address("127.0.0.1"))

    async def test_b034_a_reset_is_an_end_like_any_other(self):
        stand = Stand().connect()
        stand.driver.connection_lost(ConnectionResetError())
        assert stand.script.names == ["connected", "stream_closed"]
        assert stand.log.lines == []

    async def test_after_the_end_nothing_reaches_the_machine(self):
        stand = Stand(receive=[OVER]).connect()
        stand.driver.data_received(b"x")
        stand.driver.data_received(b"y")
        stand.driver.connection_lost(None)
        assert stand.script.names == ["connected", "receive"]

    async def test_b012_a_peer_that_does_not_read_is_dropped(self):
        stand = Stand().connect()
        assert stand.transport.limit == SEND_BUFFER_LIMIT
        stand.driver.pause_writing()
        assert stand.transport.aborted

    async def test_a_peer_that_reads_nothing_does_not_hold_a_closed_connection(self, monkeypatch):
        monkeypatch.setattr(driver_module, "CLOSE_TIMEOUT", 0.01)
        stand = Stand(receive=[OVER]).connect()
        stand.transport.unsent = 1
        stand.driver.data_received(b"x")
        assert not stand.transport.aborted
        await until(lambda: stand.transport.aborted)

    async def test_dropping_what_is_gone_already_is_no_error(self):
        stand = Stand().connect()
        stand.driver.connection_lost(None)
        stand.driver.abort()
        assert not stand.transport.aborted


class TimerTests:
    """One timer, armed for the machine's next deadline."""

    async def test_a_deadline_that_is_due_ticks_the_machine(self):
        stand = Stand()
        stand.script.deadline = Deadline(0.0, "at once")
        stand.connect()
        await until(lambda: "tick" in stand.script.names)
        stand.script.deadline = None

    async def test_a_nearer_deadline_re_arms_the_timer(self):
        loop, stand = asyncio.get_running_loop(), Stand()
        stand.script.deadline = Deadline(loop.time() + 1000, "far")
        stand.connect()
        stand.script.deadline = Deadline(loop.time() + 500, "nearer")
        stand.driver.data_received(b"x")
        assert stand.driver._timer.when() == stand.script.deadline.when

    async def test_a_deadline_that_moved_away_costs_one_wake_up_and_no_tick(self):
        loop, stand = asyncio.get_running_loop(), Stand()
        stand.script.deadline = Deadline(loop.time(), "now")
        stand.connect()
        stand.script.deadline = Deadline(loop.time() + 1000, "far")
        await until(lambda: stand.driver._timer.when() == stand.script.deadline.when)
        assert stand.script.names == ["connected"]

    async def test_no_timer_outlives_the_tunnel(self):
        stand = Stand(receive=[OVER])
        stand.script.deadline = Deadline(asyncio.get_running_loop().time() + 1000, "far")
        stand.connect().driver.data_received(b"x")
        assert stand.driver._timer is None


class DefectTests:
    """A defect of ours costs this connection only, and leaves nothing of it."""

    @staticmethod
    def gone(stand: Stand, *, defects: int = 1) -> None:
        assert (stand.calls, stand.driver.ended, stand.transport.aborted) == ({}, True, True)
        assert stand.script.forgotten
        assert [type(output) for output in stand.owner.asked][-1] is tell.TunnelEnded
        lines = [line for line in stand.log.lines if line["log_level"] == "error"]
        assert len(lines) == defects
        assert "defect" in lines[0]["event"]

    async def test_in_the_machine(self):
        stand = Stand(connected=[tell.OpenPath(CALL)], receive=ZeroDivisionError("planted")).connect()
        stand.driver.data_received(b"x")
        self.gone(stand)
        assert stand.data_path.open_calls == {}
        assert [type(output) for output in stand.owner.asked] == [tell.SessionEnded, tell.TunnelEnded]

    @pytest.mark.parametrize("output", [UP, QUESTION, ENDED, tell.Connected("there", "Somebody")])
    async def test_in_the_owner(self, output):
        stand = Stand(connected=[tell.OpenPath(CALL)], receive=[output, tell.SendStream(b"never")]).connect()
        stand.owner.raises = type(output)
        stand.driver.data_received(b"x")
        self.gone(stand, defects=2 if output is ENDED else 1)
        assert stand.data_path.open_calls == {}
        assert stand.transport.sent == []

    async def test_in_the_data_path(self):
        """Call 7 is open already: a Misuse at open_call, and another one where it is to be closed."""
        stand = Stand(receive=[tell.OpenPath(CALL)]).connect()
        stand.data_path.open_call = stand.data_path.close_call = None
        stand.driver.data_received(b"x")
        self.gone(stand, defects=3)

    async def test_in_the_tick(self):
        stand = Stand(tick=ZeroDivisionError("planted"))
        stand.script.deadline = Deadline(0.0, "at once")
        stand.connect()
        await until(lambda: stand.driver.ended)
        self.gone(stand)

    async def test_in_the_answer_to_a_question_while_outputs_are_performed(self):
        stand = Stand(receive=[QUESTION, tell.SendStream(b"never")], credentials_checked=ZeroDivisionError("planted"))
        stand.connect().driver.data_received(b"x")
        self.gone(stand)
        assert stand.transport.sent == []


class MemoryTests:
    """B-141: memory that has run out costs the connection that asked for it, without a traceback."""

    @pytest.mark.parametrize("error", [MemoryError(), OSError(12, "Cannot allocate memory")])
    async def test_b141_the_connection_is_dropped_in_words_and_nothing_stays(self, error):
        stand = Stand(connected=[tell.OpenPath(CALL)], receive=error).connect()
        stand.driver.data_received(b"x")
        assert (stand.calls, stand.driver.ended, stand.transport.aborted) == ({}, True, True)
        assert stand.script.forgotten
        assert stand.data_path.open_calls == {}
        assert [type(output) for output in stand.owner.asked] == [tell.SessionEnded, tell.TunnelEnded]
        assert stand.owner.asked[0].reason is EndReason.RESOURCES
        (line,) = [line for line in stand.log.lines if line["log_level"] == "error"]
        assert "no memory left" in line["event"]
        assert "exc_info" not in line

    async def test_b141_a_log_that_finds_no_memory_either_changes_nothing(self, monkeypatch):
        stand = Stand(connected=[tell.OpenPath(CALL)], receive=MemoryError()).connect()
        stand.owner.raises = tell.SessionEnded
        log = type("Full", (), dict.fromkeys(("error", "exception"), _no_memory))()
        monkeypatch.setattr(stand.driver, "log", log)
        stand.driver.data_received(b"x")
        assert (stand.calls, stand.driver.ended, stand.transport.aborted) == ({}, True, True)
        assert stand.data_path.open_calls == {}
        assert [type(output) for output in stand.owner.asked] == [tell.SessionEnded, tell.TunnelEnded]


def _no_memory(*_: object, **__: object) -> None:
    raise MemoryError
