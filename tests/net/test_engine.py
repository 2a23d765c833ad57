"""The binding of the engine, in memory mode, and what is said where there is none."""

import builtins
import importlib.util
import sys
import threading

import pytest
from tests.notation import frame

from openpptp.errors import Misuse, SetupError
from openpptp.net import engine as module
from openpptp.net.engine import Engine, Keys, Packet, Rate

built = pytest.mark.skipif(not module.available(), reason=module.why_not())

ECHO = frame("[LCP EchoReq id=0x1 magic=0x1a2b3c4d]")
PEER, LOCAL = 0xC0000201, 0xC0000202
TUN_HEADER = bytes(10)
MODES = {"encryption_required": False, "compress_address_control": True, "compress_protocol": True}
KEYS = Keys(bytes(16), 128, stateful=False)


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.close()


def data(sequence: int, frame: bytes) -> bytes:
    """Write enhanced GRE for call 7."""
    return (
        bytes.fromhex("3001880b") + len(frame).to_bytes(2, "big") + bytes([0, 7]) + sequence.to_bytes(4, "big") + frame
    )


def drawn(engine: Engine) -> list[tuple[int, int, bytes]]:
    return [tuple(event) for event in iter(engine.next_event, None)]


@built
class CallTests:
    """What is asked of an engine and what follows."""

    def test_a_frame_goes_out_with_the_peer_s_call_id(self, engine):
        engine.open_call(7, PEER, LOCAL)
        engine.connect_call(7, 9)
        engine.send_frame(7, ECHO)
        [(way, call_id, octets)] = drawn(engine)
        assert (way, call_id, octets) == (module.OUTSIDE, 7, data(0, ECHO)[:6] + bytes([0, 9]) + data(0, ECHO)[8:])

    def test_a_frame_comes_up_and_its_acknowledgement_goes_when_it_is_due(self, engine):
        engine.open_call(7, PEER, LOCAL)
        engine.connect_call(7, 9)
        engine.take_outside([Packet(data(0, ECHO), PEER, LOCAL), Packet(data(1, ECHO), PEER + 1, LOCAL)], 100.0)
        assert drawn(engine) == [(module.UP, 7, ECHO)]
        assert engine.deadline() == pytest.approx(100.1, abs=0.02)
        engine.tick(100.2)
        assert [way for way, _, _ in drawn(engine)] == [module.OUTSIDE]
        assert engine.deadline() is None
        assert engine.totals()["unknown"] == 1

    def test_first_number_and_receive_window_are_for_tests(self, engine):
        engine.open_call(7, PEER, LOCAL, receive_window=2, first_sequence=0xFFFFFFFF)
        engine.connect_call(7, 9)
        engine.send_frame(7, ECHO)
        assert drawn(engine)[0][2][8:12] == b"\xff\xff\xff\xff"

    @pytest.mark.parametrize("keys", [KEYS, Keys(bytes(8), 40, stateful=True), Keys(bytes(8), 56, stateful=False)])
    def test_packets_pass_encrypted_within_their_networks_and_rate(self, engine, keys):
        engine.open_call(7, PEER, LOCAL)
        engine.connect_call(7, 9)
        engine.encryption_up(7, keys, keys)
        engine.interface_up(
            7,
            1400,
            [(0x0A050000, 16)],
            peer_identifier=bytes(range(8)),
            rate_in=Rate(8, 60),
            rate_out=Rate(8, 30),
            **MODES,
        )
        packet = bytes.fromhex("450000180000000040110000 0a000001 0a050102") + bytes(4)
        engine.take_inside([Packet(TUN_HEADER + packet)] * 2, 100.0)
        [(way, _, octets)] = drawn(engine)
        assert way == module.OUTSIDE
        assert packet not in octets
        engine.encryption_flush(7)
        engine.encryption_down(7)
        engine.interface_down(7)
        last = engine.close_call(7)
        assert (last["packets_out"], last["dropped_rate"], last["last_out"]) == (1, 1, 100.0)

    def test_the_descriptor_is_readable_while_an_event_waits(self, engine):
        import select

        def readable() -> bool:
            return bool(select.select([engine.event_descriptor()], [], [], 0)[0])

        engine.open_call(7, PEER, LOCAL)
        assert not readable()
        engine.take_outside([Packet(data(number, ECHO), PEER, LOCAL) for number in range(2)], 1.0)
        for _ in range(2):
            assert readable()
            assert engine.next_event() is not None
        assert not readable()

    def test_a_route_is_for_the_peers_of_open_calls(self, engine):
        with pytest.raises(FileNotFoundError):
            engine.set_route(PEER, LOCAL, 2, bytes(14), 1500)
        engine.open_call(7, PEER, LOCAL)
        engine.set_route(PEER, LOCAL, 2, bytes(14), 1500)
        engine.forget_route(PEER, LOCAL)


@built
class MisuseTests:
    """What our own code must not do."""

    def test_a_call_that_is_not_open(self, engine):
        for ask in (engine.encryption_down, engine.encryption_flush, engine.interface_down, engine.close_call):
            with pytest.raises(Misuse, match="call 5 is not open"):
                ask(5)
        with pytest.raises(Misuse, match="call 5 is not open"):
            engine.encryption_up(5, KEYS, KEYS)

    def test_a_call_that_is_open_already(self, engine):
        engine.open_call(5, PEER, LOCAL)
        with pytest.raises(Misuse, match="call 5 is open already"):
            engine.open_call(5, PEER, LOCAL)

    def test_an_engine_that_is_closed(self, engine):
        engine.close()
        for ask in (engine.totals, engine.next_event, lambda: engine.open_call(1, 2, 3)):
            with pytest.raises(Misuse, match="closed"):
                ask()
        engine.close()

    def test_a_shard_that_is_none_is_the_system_s_error(self, engine):
        with pytest.raises(OSError, match="Invalid argument"):
            engine.attach_tun(0, shard=1)
        with pytest.raises(SetupError, match="memory"):
            Engine(shards=100000)


@built
class ThreadTests:
    """Threads that serve, without anything to serve."""

    def test_each_direction_has_one_and_stop_ends_them(self):
        engine = Engine(shards=2)
        engine.start(pytest.fail)
        assert len([thread for thread in engine._threads if thread.is_alive()]) == 4
        threads = list(engine._threads)
        engine.stop()
        assert not any(thread.is_alive() for thread in threads)
        engine.close()

    def test_what_ends_a_thread_is_told(self, engine):
        told, done = [], threading.Event()
        engine.shards = 2  # the second is none
        engine.start(lambda error: told.append(error) or (len(told) == 2 and done.set()))
        assert done.wait(10)
        assert {str(error) for error in told} == {"[Errno 22] Invalid argument"}


class AvailableTests:
    """Whether there is an engine."""

    @built
    def test_where_it_is_there_is_nothing_to_say(self):
        assert module.why_not() == ""
        assert module.features()

    def test_where_it_is_not_the_reason_and_the_remedy_are_said(self, monkeypatch):
        missing = without_extension(monkeypatch, ImportError("cannot import name '_engine'", name="openpptp.net"))
        assert not missing.available()
        for words in ("the engine is not built;", "gcc", "python3-dev", "scripts/install"):
            assert words in missing.why_not()
        with pytest.raises(SetupError, match="the engine is not built") as caught:
            missing.Engine()
        assert caught.value.exit_code == 3

    def test_where_it_is_broken_the_loader_s_words_are_passed_on(self, monkeypatch):
        broken = without_extension(monkeypatch, ImportError("undefined symbol: wheel_arm", name="openpptp.net._engine"))
        assert "the engine cannot be loaded (undefined symbol: wheel_arm);" in broken.why_not()


def without_extension(monkeypatch, error: ImportError):
    """Load the module once more, as on a host where the extension was not built."""
    genuine = builtins.__import__

    def without(name, globals_=None, locals_=None, fromlist=(), level=0):
        if fromlist and "_engine" in fromlist:
            raise error
        return genuine(name, globals_, locals_, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    specification = importlib.util.spec_from_file_location("engine_without", module.__file__)
    made = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "engine_without", made)
    specification.loader.exec_module(made)
    return made
