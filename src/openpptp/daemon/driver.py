"""Runs one Tunnel on one TCP connection: octets in, outputs performed, one timer re-armed.

What a machine asks for is either the same for everybody (stream, timer, data path) and done here, or it is policy and
handed to the Owner: the server or the client.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any, ClassVar, Protocol, cast

from structlog.typing import FilteringBoundLogger

from openpptp.credentials import Answer
from openpptp.daemon import log as logs
from openpptp.daemon.calls import Calls
from openpptp.daemon.conversation import Conversations
from openpptp.daemon.pace import STRANGER, Pace
from openpptp.daemon.session_names import SessionNames
from openpptp.datapath.seam import Counters, DataPath
from openpptp.errors import BadMessage, EndReason
from openpptp.machine import Level, Note, Output
from openpptp.net.tcp import path_mtu
from openpptp.tunnel import outputs as tell
from openpptp.tunnel.tunnel import Tunnel
from openpptp.wire.control import ControlStream
from openpptp.wire.notation import describe_frame

CLOSE_TIMEOUT = 5.0  # ours: seconds a peer that does not read may keep a closed connection waiting for its last octets
NOTES = 10  # ours: notes about one peer in ten seconds; what it does must not fill the log
DEBUG = 10  # structlog's number for the level
OUT_OF_MEMORY = "there is no memory left for this control connection; it is dropped"
SEND_BUFFER_LIMIT = 64 * 1024  # ours: a peer that reads nothing for this long is gone (accel-ppp lost replies here)


class Owner(Protocol):
    """The policy behind a driver."""

    def connected(self, driver: "TunnelDriver", output: tell.Connected) -> None:
        """Learn that the control connection is agreed on."""

    def check_credentials(self, driver: "TunnelDriver", output: tell.CheckCredentials) -> None:
        """Answer with driver.credentials_checked, now or later."""

    def interface_up(self, driver: "TunnelDriver", output: tell.InterfaceUp) -> None:
        """Let the data of a session flow."""

    def interface_down(self, driver: "TunnelDriver", output: tell.InterfaceDown) -> None:
        """Stop the data of a session."""

    def session_ended(self, driver: "TunnelDriver", output: tell.SessionEnded, counters: Counters) -> None:
        """Take back what the session was given."""

    def tunnel_ended(self, driver: "TunnelDriver", output: tell.TunnelEnded) -> None:
        """Forget the driver."""


class TunnelDriver(asyncio.Protocol):
    """Owns the stream, the timer and the path entries of one control connection."""

    def __init__(
        self,
        make_tunnel: Callable[[IPv4Address, IPv4Address, int | None], Tunnel],
        data_path: DataPath,
        calls: Calls,
        owner: Owner,
        log: FilteringBoundLogger,
    ) -> None:
        """Wait for the connection; make_tunnel is given our own and the peer's address then, and the MTU of the way.

        calls maps each open Call ID to its driver, for the data path's callbacks; drivers of one data path share it.
        """
        self._make_tunnel = make_tunnel
        self._data_path = data_path
        self._calls = calls
        self._owner = owner
        self.names = SessionNames()
        self.conversations = Conversations()
        self.log = log
        self._debug = log.is_enabled_for(DEBUG)
        self._received, self._sent = ControlStream(), ControlStream()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pending: deque[Output] = deque()
        self._performing = False
        self._counters: dict[int, Counters] = {}
        self._open_calls: set[int] = set()
        self.ended = False
        self.tunnel: Tunnel
        self.local = self.peer = IPv4Address(0)
        self.since = 0.0
        self.who = "", ""
        "Host and vendor name the peer gave, cleaned for the log."
        self.introduced = False
        "Whether the control connection is agreed on."
        self.pace = Pace(*STRANGER)
        "How fast its control messages are read."
        self._reading_again: asyncio.TimerHandle | None = None

    # The stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the machine."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=SEND_BUFFER_LIMIT)
        self.local = IPv4Address(transport.get_extra_info("sockname")[0])
        self.peer = IPv4Address(transport.get_extra_info("peername")[0])
        self.since = self._loop.time()
        self.log = self.log.bind(peer=str(self.peer))
        self.tunnel = self._make_tunnel(self.local, self.peer, path_mtu(transport.get_extra_info("socket")))
        self.run(self.tunnel.connected)

    def data_received(self, data: bytes) -> None:
        """Feed the machine."""
        if self._debug:
            self._trace("rcvd", self._received, data)
        self.run(self.tunnel.receive, data)
        wait = self.pace.spend(len(data), self._loop.time())
        if wait > 0 and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._reading_again = self._loop.call_later(wait, self._read_again)

    def _read_again(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the machine, which then ends its sessions."""
        # A reset is as normal an end as a FIN: pptp-linux closes in the instant it hangs up.
        self._transport = None
        self.run(self.tunnel.stream_closed)

    def pause_writing(self) -> None:
        """Give up a peer that does not read: half a message must never be dropped silently."""
        self.log.warning("the peer does not read what it is sent; its connection is dropped", seldom=1)
        self.abort()

    @property
    def has_calls(self) -> bool:
        """Whether any call is open."""
        return bool(self._open_calls)

    def abort(self) -> None:
        """Drop the connection without ceremony."""
        if self._transport is not None:
            self._transport.abort()

    def _trace(self, direction: str, stream: ControlStream, data: bytes) -> None:
        """Log the control messages that pass, in front of what they lead to."""
        try:
            for message in stream.feed(data):
                self.log.debug(f"{direction} [{message}]")
        except BadMessage as error:
            self.log.debug(f"{direction} no PPTP message: {error}")

    # Inputs

    def credentials_checked(self, call_id: int, answer: Answer) -> None:
        """Pass a backend's answer to the session that asked."""
        self.run(self.tunnel.credentials_checked, call_id, answer)

    def frame_received(self, call_id: int, frame: bytes) -> None:
        """Take a control-protocol frame from the data path."""
        if self._debug:
            self.log.debug("rcvd " + describe_frame(frame), call=call_id)
        self.conversations.of(call_id).received(frame, self._loop.time())
        self.run(self.tunnel.frame_received, call_id, frame)

    def encryption_lost(self, call_id: int, gave_up: bool) -> None:
        """Take the data path's word that stateful MPPE lost step."""
        self.run(self.tunnel.encryption_lost, call_id, gave_up)

    def disconnect(self, call_id: int, reason: EndReason) -> None:
        """End one session in good order."""
        self.run(self.tunnel.disconnect, call_id, reason)

    def stop(self, reason: EndReason) -> None:
        """End every session and the connection in good order."""
        self.run(self.tunnel.stop, reason)

    def run(self, step: Callable[..., list[Output]], *arguments: Any) -> None:
        """Give the machine one input and perform what it answers; a defect of ours costs this connection only."""
        if self.ended:
            return
        try:
            self._perform(step(*arguments, self._loop.time()))
            self._rearm()
        except Exception as error:
            self._give_up(error)

    # Outputs

    def _perform(self, outputs: list[Output]) -> None:
        """Do outputs in order; what an answer adds while we are at it waits its turn."""
        self._pending.extend(outputs)
        if self._performing:
            return
        self._performing = True
        try:
            while self._pending:
                output = self._pending.popleft()
                self._ACTIONS[type(output)](self, output)
        finally:
            self._performing = False

    def _note(self, note: Note) -> None:
        if note.level is Level.DEBUG:
            self.log.debug(note.text)
        else:
            log = self.log.info if note.level is Level.INFO else self.log.warning
            log(note.text, kind="note", seldom=NOTES)

    def _send_stream(self, output: tell.SendStream) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if self._debug:
                self._trace("sent", self._sent, output.data)
            self._transport.write(output.data)

    def _close_stream(self, _: tell.CloseStream) -> None:
        if self._transport is not None:
            self._transport.close()

    def _open_path(self, output: tell.OpenPath) -> None:
        self._calls[output.call_id] = self
        self._open_calls.add(output.call_id)
        self._data_path.open_call(output.call_id, self.peer, self.local)

    def _connect_path(self, output: tell.ConnectPath) -> None:
        self._data_path.connect_call(output.call_id, output.peer_call_id)

    def _send_frame(self, output: tell.SendFrame) -> None:
        if self._debug:
            self.log.debug("sent " + describe_frame(output.frame), call=output.call_id)
        self.conversations.of(output.call_id).sent(output.frame, self._loop.time())
        self._data_path.send_frame(output.call_id, output.frame)

    def _encryption_up(self, output: tell.EncryptionUp) -> None:
        self._data_path.encryption_up(output.call_id, output.send, output.receive)

    def _encryption_down(self, output: tell.EncryptionDown) -> None:
        self._data_path.encryption_down(output.call_id)

    def _encryption_flush(self, output: tell.EncryptionFlush) -> None:
        self._data_path.encryption_flush(output.call_id)

    def _interface_down(self, output: tell.InterfaceDown) -> None:
        self._data_path.interface_down(output.call_id)
        self._owner.interface_down(self, output)

    def _close_path(self, output: tell.ClosePath) -> None:
        del self._calls[output.call_id]
        self._open_calls.discard(output.call_id)
        self._counters[output.call_id] = self._data_path.close_call(output.call_id)

    def _session_ended(self, output: tell.SessionEnded) -> None:
        self._owner.session_ended(self, output, self._counters.pop(output.call_id, Counters()))
        self.conversations.pop(output.call_id, None)
        self.names.forget(output.call_id)

    def _connected(self, output: tell.Connected) -> None:
        self.who = output.peer_host_name, output.peer_vendor_name
        self.introduced = True
        self._owner.connected(self, output)

    def _tunnel_ended(self, output: tell.TunnelEnded) -> None:
        self._close()
        self._owner.tunnel_ended(self, output)

    _ACTIONS: ClassVar[dict[type[Output], Callable[["TunnelDriver", Any], None]]] = {
        Note: _note,
        tell.SendStream: _send_stream,
        tell.CloseStream: _close_stream,
        tell.OpenPath: _open_path,
        tell.ConnectPath: _connect_path,
        tell.SendFrame: _send_frame,
        tell.EncryptionUp: _encryption_up,
        tell.EncryptionDown: _encryption_down,
        tell.EncryptionFlush: _encryption_flush,
        tell.InterfaceDown: _interface_down,
        tell.ClosePath: _close_path,
        tell.SessionEnded: _session_ended,
        tell.TunnelEnded: _tunnel_ended,
        tell.Connected: _connected,
        tell.CheckCredentials: lambda self, output: self._owner.check_credentials(self, output),
        tell.InterfaceUp: lambda self, output: self._owner.interface_up(self, output),
    }

    # The timer

    def _rearm(self) -> None:
        """Arm the timer when the deadline has come nearer; a timer that fires too early arms itself again.

        So a deadline that moves away with every packet costs nothing.
        """
        deadline = self.tunnel.deadline
        if self.ended or deadline is None:
            return
        if self._timer is not None:
            if self._timer.when() <= deadline.when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline.when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        deadline = self.tunnel.deadline
        if deadline is not None and deadline.when <= self._loop.time():
            self.run(self.tunnel.tick)
        else:
            self._rearm()

    # The end

    def _close(self) -> None:
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reading_again is not None:
            self._reading_again.cancel()
        if self._transport is not None:
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self._loop.call_later(CLOSE_TIMEOUT, self._transport.abort)

    def _give_up(self, error: Exception) -> None:
        """Drop the connection after a defect, or when memory has run out; it costs this connection only."""
        if logs.out_of_memory(error):
            self._in_any_case(lambda words: self.log.error(words, seldom=1), OUT_OF_MEMORY)
            self._fail(EndReason.RESOURCES, EndReason.RESOURCES.value.sentence)
            return
        self.log.error("a defect in this program; this control connection is dropped", exc_info=error, seldom=1)
        self._fail(EndReason.PROTOCOL_ERROR, "a defect in this program ended the session")

    def _fail(self, reason: EndReason, detail: str) -> None:
        """Leave nothing of this connection behind; a second defect on the way changes nothing."""
        self._pending.clear()
        for call_id in list(self._open_calls):
            ended = tell.SessionEnded(call_id, None, reason, detail)
            for step, argument in (
                (self._data_path.interface_down, call_id),
                (self._close_path, tell.ClosePath(call_id)),
                (self._session_ended, ended),
            ):
                self._in_any_case(step, argument)
        self.abort()
        self._in_any_case(self.tunnel.forget, self._loop.time())
        self._in_any_case(self._tunnel_ended, tell.TunnelEnded(reason, detail))

    def _in_any_case(self, step: Callable[[Any], None], argument: Any) -> None:
        try:
            step(argument)
        except Exception:
            with contextlib.suppress(MemoryError):
                self.log.exception("a second defect while the connection was dropped", seldom=1)
