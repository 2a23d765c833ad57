"""Decides when the client resolves, calls, waits and gives up; a machine without clock, network or chance.

    start -> Resolve -> resolved -> Call -> answered -> session_up ... over -> Waiting -> tick -> Call ...

Two kinds of failure have two paces. A call that no server answered costs that server nothing, so it is repeated every
two seconds for a while: a server that restarts is found at once. One that was answered, and then failed, is repeated
after 1, 2, 4 ... seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address

from openpptp.daemon.connect_request import Reconnect
from openpptp.errors import EndReason
from openpptp.machine import Deadline, Output, Random

FIRST_WAIT = 1.0  # ours: seconds after the first failure; each further one doubles it
KNOCK_WAIT = 2.0  # ours: most seconds between two calls that nobody answers ...
KNOCKING = 600.0  # ours: ... for so many seconds of them; then they become as rare as the others
KNOCK_TIMEOUT = 3.0  # ours: seconds an address has to answer while we knock; the kernel's own repetition is slower
STEADY = 10.0  # ours: seconds a session must have lasted for its end not to count as a failed log-in
SETTLE = 0.1  # ours: seconds from a change of the network to the call: changes come in bursts
STRIDE = 1.0  # ours: least seconds between two calls that changes of the network cause
STOP_TIMEOUT = 5.0  # ours: seconds for the server to take leave
NEVER_AGAIN = frozenset(
    {
        EndReason.AUTHENTICATION_REFUSED,  # each repetition brings an account nearer to being locked
        EndReason.AUTHENTICATION_UNSUITABLE,
        EndReason.ENCRYPTION_UNSUITABLE,
        EndReason.SERVER_NOT_GENUINE,
    }
)
"Ends that the next attempt cannot better, or must not."


class State(Enum):
    """What the client is at; the words stand in `openpptp status`."""

    IDLE = "starting"
    RESOLVING = "resolving"
    CALLING = "calling"
    LOGGING_IN = "logging in"
    UP = "up"
    LEAVING = "leaving"
    WAITING = "waiting"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Resolve(Output):
    """Look the server's names up; the answer goes to resolved or unresolved, also while a call is under way."""


@dataclass(frozen=True, slots=True)
class Call(Output):
    """Make one attempt at one address; it tells answered, session_up and, in any case, over."""

    address: IPv4Address
    timeout: float
    "Seconds for TCP to answer."


@dataclass(frozen=True, slots=True)
class HangUp(Output):
    """End the attempt in good order."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class Drop(Output):
    """End the attempt at once."""


@dataclass(frozen=True, slots=True)
class TunnelDown(Output):
    """The tunnel is down for a while: treat its traffic as the user wants it."""

    detail: str


@dataclass(frozen=True, slots=True)
class Waiting(Output):
    """The next attempt comes by itself, or with the network."""

    seconds: float
    detail: str
    "Why there is no tunnel."


@dataclass(frozen=True, slots=True)
class End(Output):
    """It is over; nothing follows."""

    reason: EndReason
    detail: str


class Supervisor:
    """Keeps one tunnel up, or says why it does not."""

    def __init__(self, reconnect: Reconnect, random: Random, *, timeout: float, silence: float) -> None:
        """Begin idle; timeout is for TCP, silence the seconds after which a server counts as gone."""
        self.state = State.IDLE
        self.deadline: Deadline | None = None
        self._reconnect = reconnect
        self._random = random
        self._timeout = timeout
        self._silence = silence
        self._addresses: tuple[IPv4Address, ...] = ()
        self._left: list[IPv4Address] = []
        "Addresses this round has not tried yet."
        self._address: IPv4Address | None = None
        self._details: list[str] = []
        "Why each address of this round failed."
        self._heard = False
        "Whether any address of this round answered."
        self._began = self._called = 0.0
        self._down_since: float | None = None
        self._up_since: float | None = None
        self._was_up = False
        self._failures = {True: 0, False: 0}
        "Rounds that failed since the last steady session: those in which a server answered, and the others."
        self._dropped = ""
        "Why we ended the attempt ourselves, to make it again at once; empty when we did not."
        self._ending: tuple[EndReason, str] | None = None

    # Inputs

    def start(self, now: float) -> list[Output]:
        """Begin."""
        self._down_since = now
        return self._resolve()

    def resolved(self, addresses: Sequence[IPv4Address], now: float) -> list[Output]:
        """Take the addresses of the server, at least one."""
        self._addresses = tuple(dict.fromkeys(addresses))
        return self._begin_round(now) if self.state is State.RESOLVING else []

    def unresolved(self, detail: str, now: float) -> list[Output]:
        """Take it that no name can be looked up now; addresses known from before still do."""
        if self.state is not State.RESOLVING:
            return []
        self._began, self._details, self._heard = now, [detail], False
        return self._round_failed(EndReason.CONNECTION_LOST, now)

    def answered(self, now: float) -> list[Output]:
        """Take it that TCP is open."""
        if self.state is State.CALLING:
            self.state = State.LOGGING_IN
            self._heard = True
        return []

    def session_up(self, now: float) -> list[Output]:
        """Take it that data flows."""
        if self.state is State.LOGGING_IN:
            self.state = State.UP
            self._up_since, self._down_since, self._was_up = now, None, True
        return []

    def over(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        """Take the end of the attempt, for whatever reason."""
        detail = self._dropped or detail
        match self.state:
            case State.LEAVING:
                return self._end(*(self._ending or (reason, detail)))
            case State.CALLING | State.LOGGING_IN | State.UP if reason in NEVER_AGAIN:
                return self._end(reason, detail)
            case State.CALLING | State.LOGGING_IN if self._dropped and self._address is not None:
                return self._call(self._address, now)
            case State.CALLING | State.LOGGING_IN:
                self._details.append(detail)
                return self._call(self._left.pop(0), now) if self._left else self._round_failed(reason, now)
            case State.UP:
                return self._lost(reason, detail, now)
        return []

    def network_changed(self, now: float) -> list[Output]:
        """Take it that links, addresses or routes of this host have changed."""
        if self.state is State.WAITING:
            self._bring_forward(max(now + SETTLE, self._called + STRIDE))
        elif self.state is State.CALLING and now >= self._called + STRIDE:
            return self.carrier_gone("the network has changed", now)
        return []

    def carrier_gone(self, detail: str, now: float) -> list[Output]:
        """Take it that what the attempt stands on is no more, our own address for one: make it anew."""
        if self.state not in {State.CALLING, State.LOGGING_IN, State.UP} or self._dropped:
            return []
        self._dropped = detail
        return [Drop()]

    def woke(self, slept: float, now: float) -> list[Output]:
        """Take it that this system slept so many seconds; the server has forgotten us if it was long."""
        if self.state is State.WAITING:
            self._bring_forward(now)
            return []
        if self.state is State.UP and slept < self._silence:
            return []  # the server may still know us; if it does not, its echo or ours will tell
        return self.carrier_gone(f"this system slept for {slept:.0f} seconds", now)

    def host_refused(self, detail: str, now: float) -> list[Output]:
        """Take it that this host does not let the tunnel be set up."""
        return self._leave(EndReason.RESOURCES, detail, now)

    def stop(self, now: float) -> list[Output]:
        """End it: the user says so."""
        return self._leave(EndReason.USER_REQUEST, EndReason.USER_REQUEST.value.sentence, now)

    def tick(self, now: float) -> list[Output]:
        """Do what has become due."""
        if self.deadline is None or now < self.deadline.when:
            return []
        self.deadline = None
        match self.state:
            case State.LEAVING:
                return [Drop()]
            case State.WAITING if not self._addresses:
                return self._resolve()
            case State.WAITING:
                # What failed once may have moved; but its name server may lie behind the tunnel, and is not waited for.
                moved: list[Output] = [Resolve()] if self._details else []
                return [*moved, *self._begin_round(now)]
        return []

    # Rounds: each address once

    def _resolve(self) -> list[Output]:
        self.state = State.RESOLVING
        return [Resolve()]

    def _begin_round(self, now: float) -> list[Output]:
        last = self._address
        self._left = sorted(self._addresses, key=lambda address: address != last)  # the one that worked comes first
        self._details, self._heard, self._began = [], False, now
        return self._call(self._left.pop(0), now)

    def _call(self, address: IPv4Address, now: float) -> list[Output]:
        self.state = State.CALLING
        self._address, self._called, self._dropped = address, now, ""
        return [Call(address, min(self._timeout, KNOCK_TIMEOUT) if self._was_up else self._timeout)]

    def _round_failed(self, reason: EndReason, now: float) -> list[Output]:
        detail = "; ".join(dict.fromkeys(self._details))
        if self._reconnect.when == "never" or (self._reconnect.when == "after-success" and not self._was_up):
            return self._end(reason, detail)
        return self._wait(detail, now)

    def _lost(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        if self._reconnect.when == "never":
            return self._end(reason, detail)
        assert self._up_since is not None
        if now - self._up_since >= STEADY:
            self._failures = {True: 0, False: 0}
        self._down_since, self._heard, self._began, self._details = now, True, now, []
        at_once, self._dropped = self._dropped != "", ""
        if at_once:
            self.state, self.deadline = State.WAITING, Deadline(now + SETTLE, "the next attempt")
            return [TunnelDown(detail), Waiting(SETTLE, detail)]
        return [TunnelDown(detail), *self._wait(detail, now)]

    def _wait(self, detail: str, now: float) -> list[Output]:
        """Wait, and a random part less, so that a thousand clients do not call a server all at once."""
        longest = self._reconnect.longest_wait
        knocking = self._down_since is not None and now - self._down_since < KNOCKING
        limit = min(KNOCK_WAIT, longest) if not self._heard and knocking else longest
        doubled = FIRST_WAIT * 2.0 ** min(self._failures[self._heard], 16)
        seconds = min(doubled, limit) * (0.5 + self._chance() / 2)
        self._failures[self._heard] += 1
        # A call nobody answers has cost its time already; what was answered deserves a pause.
        when = now + seconds if self._heard else max(now + SETTLE, self._began + seconds)
        self.state, self.deadline = State.WAITING, Deadline(when, "the next attempt")
        return [Waiting(when - now, detail)]

    def _chance(self) -> float:
        return int.from_bytes(self._random(2), "big") / 65536

    def _bring_forward(self, when: float) -> None:
        assert self.deadline is not None
        self.deadline = Deadline(min(when, self.deadline.when), self.deadline.reason)

    # The end

    def _leave(self, reason: EndReason, detail: str, now: float) -> list[Output]:
        match self.state:
            case State.LEAVING | State.OVER:
                return []
            case State.LOGGING_IN | State.UP:
                self.state, self._ending = State.LEAVING, (reason, detail)
                self.deadline = Deadline(now + STOP_TIMEOUT, "the server's leave")
                return [HangUp(reason)]
            case State.CALLING:
                self.state, self._ending = State.LEAVING, (reason, detail)
                return [Drop()]
        return self._end(reason, detail)

    def _end(self, reason: EndReason, detail: str) -> list[Output]:
        self.state, self.deadline = State.OVER, None
        return [End(reason, detail)]
