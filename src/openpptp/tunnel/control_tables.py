"""The control connection's state diagrams (RFC 2637 sections 3.1.1 and 3.1.2), and what they do where those are silent.

Silent are they about keep-alives, timers, the end of the TCP stream and messages in the wrong place.
"""

from enum import Enum

from openpptp.tunnel.table import Table


class State(Enum):
    """States of a control connection (RFC 2637 sections 3.1.1 and 3.1.2)."""

    IDLE = "idle"
    WAIT_CTL_REPLY = "wait_ctl_reply"
    ESTABLISHED = "established"
    WAIT_STOP_REPLY = "wait_stop_reply"
    CLOSED = "closed"
    "The RFC's way back to idle: this TCP connection is over."


class Event(Enum):
    """What moves a control connection; messages are split by what decides the next state."""

    TCP_OPEN = "tcp-open"
    TCP_CLOSED = "tcp-closed"
    START_REQUEST = "start-request"
    START_REQUEST_BAD_VERSION = "start-request-bad-version"
    START_REPLY = "start-reply"
    START_REPLY_BAD_VERSION = "start-reply-bad-version"
    START_REPLY_REFUSED = "start-reply-refused"
    STOP_REQUEST = "stop-request"
    STOP_REPLY = "stop-reply"
    ECHO_REQUEST = "echo-request"
    ECHO_REPLY = "echo-reply"
    CALL_MESSAGE = "call-message"
    LOCAL_STOP = "local-stop"
    COLLISION_LOST = "collision-lost"
    COLLISION_WON = "collision-won"
    ECHO_DUE = "echo-due"
    TIMEOUT = "timeout"


class Action(Enum):
    """What is done on the way."""

    IGNORE = "ignore"
    WAIT_FOR_START = "wait-for-start"
    SEND_START_REQUEST = "send-start-request"
    SEND_START_REPLY = "send-start-reply"
    SEND_START_REPLY_BAD_VERSION = "send-start-reply-bad-version"
    SEND_START_REPLY_EXISTS = "send-start-reply-exists"
    ESTABLISH = "establish"
    REFUSED = "refused"
    SEND_STOP_REQUEST = "send-stop-request"
    SEND_STOP_REPLY = "send-stop-reply"
    SEND_ECHO_REQUEST = "send-echo-request"
    SEND_ECHO_REPLY = "send-echo-reply"
    TAKE_ECHO_REPLY = "take-echo-reply"
    DELIVER = "deliver"
    CLOSE = "close"
    COLLIDED = "collided"
    TIMED_OUT = "timed-out"
    VIOLATED = "violated"
    LOST = "lost"


INITIATOR = Table(
    "Control connection originator (RFC 2637 section 3.1.1)",
    """
    idle             tcp-open                 send-start-request       wait_ctl_reply
    idle             local-stop               close                    closed
    idle             tcp-closed               lost                     closed
    wait_ctl_reply   start-reply              establish                established
    wait_ctl_reply   start-reply-bad-version  send-stop-request        wait_stop_reply
    wait_ctl_reply   start-reply-refused      refused                  closed
    wait_ctl_reply   collision-lost           collided                 closed
    wait_ctl_reply   stop-request             send-stop-reply          closed
    wait_ctl_reply   call-message             violated                 closed
    wait_ctl_reply   local-stop               close                    closed
    wait_ctl_reply   timeout                  timed-out                closed
    wait_ctl_reply   tcp-closed               lost                     closed
    established      start-request            send-start-reply-exists  established
    established      start-request-bad-version  send-start-reply-exists  established
    established      stop-request             send-stop-reply          closed
    established      echo-request             send-echo-reply          established
    established      echo-reply               take-echo-reply          established
    established      call-message             deliver                  established
    established      local-stop               send-stop-request        wait_stop_reply
    established      echo-due                 send-echo-request        established
    established      timeout                  timed-out                closed
    established      tcp-closed               lost                     closed
    wait_stop_reply  stop-reply               close                    closed
    wait_stop_reply  stop-request             send-stop-reply          closed
    wait_stop_reply  timeout                  close                    closed
    wait_stop_reply  tcp-closed               close                    closed
    """,
    State,
    Event,
    Action.IGNORE,
)

RESPONDER = Table(
    "Control connection receiver (RFC 2637 section 3.1.2)",
    """
    idle             tcp-open                 wait-for-start           idle
    idle             start-request            send-start-reply         established
    idle             start-request-bad-version  send-start-reply-bad-version  closed
    idle             collision-won            collided                 closed
    idle             stop-request             send-stop-reply          closed
    idle             call-message             violated                 closed
    idle             local-stop               close                    closed
    idle             timeout                  timed-out                closed
    idle             tcp-closed               lost                     closed
    established      start-request            send-start-reply-exists  established
    established      start-request-bad-version  send-start-reply-exists  established
    established      stop-request             send-stop-reply          closed
    established      echo-request             send-echo-reply          established
    established      echo-reply               take-echo-reply          established
    established      call-message             deliver                  established
    established      local-stop               send-stop-request        wait_stop_reply
    established      echo-due                 send-echo-request        established
    established      timeout                  timed-out                closed
    established      tcp-closed               lost                     closed
    wait_stop_reply  stop-reply               close                    closed
    wait_stop_reply  stop-request             send-stop-reply          closed
    wait_stop_reply  timeout                  close                    closed
    wait_stop_reply  tcp-closed               close                    closed
    """,
    State,
    Event,
    Action.IGNORE,
)
