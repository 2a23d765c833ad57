"""The four state diagrams of a call (RFC 2637 sections 3.2.3 and 3.2.4)."""

from enum import Enum

from openpptp.tunnel.settings import CallKind, Role
from openpptp.tunnel.table import Table


class State(Enum):
    """States of a call (RFC 2637 sections 3.2.3 and 3.2.4)."""

    IDLE = "idle"
    WAIT_REPLY = "wait_reply"
    WAIT_CS_ANS = "wait_cs_ans"
    WAIT_CONNECT = "wait_connect"
    ESTABLISHED = "established"
    WAIT_DISCONNECT = "wait_disconnect"
    ENDED = "ended"
    "The RFC's way back to idle: this call is over."


class Event(Enum):
    """What moves a call."""

    PLACE = "place"
    OUTGOING_CALL_REQUEST = "outgoing-call-request"
    OUTGOING_CALL_REPLY = "outgoing-call-reply"
    OUTGOING_CALL_REPLY_REFUSED = "outgoing-call-reply-refused"
    INCOMING_CALL_REQUEST = "incoming-call-request"
    INCOMING_CALL_REPLY = "incoming-call-reply"
    INCOMING_CALL_REPLY_REFUSED = "incoming-call-reply-refused"
    INCOMING_CALL_CONNECTED = "incoming-call-connected"
    CALL_CLEAR_REQUEST = "call-clear-request"
    CALL_DISCONNECT_NOTIFY = "call-disconnect-notify"
    ANSWER = "answer"
    "The circuit behind the PAC is connected: the RFC's Telco Answer."
    HANG_UP = "hang-up"
    TIMEOUT = "timeout"


class Action(Enum):
    """What is done on the way."""

    IGNORE = "ignore"
    SEND_OUTGOING_CALL_REQUEST = "send-outgoing-call-request"
    SEND_INCOMING_CALL_REQUEST = "send-incoming-call-request"
    DIAL = "dial"
    SEND_OUTGOING_CALL_REPLY = "send-outgoing-call-reply"
    SEND_OUTGOING_CALL_REPLY_ERROR = "send-outgoing-call-reply-error"
    TIMED_OUT_SEND_OUTGOING_CALL_REPLY_ERROR = "timed-out-send-outgoing-call-reply-error"
    SEND_INCOMING_CALL_REPLY = "send-incoming-call-reply"
    SEND_INCOMING_CALL_CONNECTED = "send-incoming-call-connected"
    CONNECT = "connect"
    REFUSED = "refused"
    CLEARED = "cleared"
    CLEARED_SEND_DISCONNECT = "cleared-send-disconnect"
    SEND_CLEAR = "send-clear"
    SEND_DISCONNECT = "send-disconnect"
    TIMED_OUT_SEND_CLEAR = "timed-out-send-clear"
    TIMED_OUT_SEND_DISCONNECT = "timed-out-send-disconnect"
    FINISH = "finish"
    OUT_OF_STEP = "out-of-step"


# A Call-Clear-Request from a PAC or a Call-Disconnect-Notify from a PNS is against the RFC, but what it means is plain.

PNS_OUTGOING = Table(
    "Outgoing call at the PNS (RFC 2637 section 3.2.4.2)",
    """
    idle             place                        send-outgoing-call-request  wait_reply
    wait_reply       outgoing-call-reply          connect                     established
    wait_reply       outgoing-call-reply-refused  refused                     ended
    wait_reply       call-disconnect-notify       cleared                     ended
    wait_reply       call-clear-request           cleared                     ended
    wait_reply       hang-up                      send-clear                  wait_disconnect
    wait_reply       timeout                      timed-out-send-clear        wait_disconnect
    established      call-disconnect-notify       cleared                     ended
    established      call-clear-request           cleared                     ended
    established      hang-up                      send-clear                  wait_disconnect
    wait_disconnect  call-disconnect-notify       finish                      ended
    wait_disconnect  call-clear-request           finish                      ended
    wait_disconnect  outgoing-call-reply-refused  finish                      ended
    wait_disconnect  timeout                      out-of-step                 ended
    """,
    State,
    Event,
    Action.IGNORE,
)

PAC_OUTGOING = Table(
    "Outgoing call at the PAC (RFC 2637 section 3.2.4.1)",
    """
    idle         outgoing-call-request   dial                            wait_cs_ans
    wait_cs_ans  answer                  send-outgoing-call-reply        established
    wait_cs_ans  hang-up                 send-outgoing-call-reply-error  ended
    wait_cs_ans  timeout                 timed-out-send-outgoing-call-reply-error  ended
    wait_cs_ans  call-clear-request      cleared-send-disconnect         ended
    wait_cs_ans  call-disconnect-notify  cleared                         ended
    established  call-clear-request      cleared-send-disconnect         ended
    established  call-disconnect-notify  cleared                         ended
    established  hang-up                 send-disconnect                 ended
    """,
    State,
    Event,
    Action.IGNORE,
)

PAC_INCOMING = Table(
    "Incoming call at the PAC (RFC 2637 section 3.2.3.1)",
    """
    idle             place                        send-incoming-call-request    wait_reply
    wait_reply       incoming-call-reply          send-incoming-call-connected  established
    wait_reply       incoming-call-reply-refused  refused                       ended
    wait_reply       call-clear-request           cleared-send-disconnect       ended
    wait_reply       call-disconnect-notify       cleared                       ended
    wait_reply       hang-up                      send-disconnect               ended
    wait_reply       timeout                      timed-out-send-disconnect     ended
    established      call-clear-request           cleared-send-disconnect       ended
    established      call-disconnect-notify       cleared                       ended
    established      hang-up                      send-disconnect               ended
    """,
    State,
    Event,
    Action.IGNORE,
)

PNS_INCOMING = Table(
    "Incoming call at the PNS (RFC 2637 section 3.2.3.2)",
    """
    idle             incoming-call-request        send-incoming-call-reply  wait_connect
    wait_connect     incoming-call-connected      connect                   established
    wait_connect     call-disconnect-notify       cleared                   ended
    wait_connect     call-clear-request           cleared                   ended
    wait_connect     hang-up                      send-clear                wait_disconnect
    wait_connect     timeout                      timed-out-send-clear      wait_disconnect
    established      call-disconnect-notify       cleared                   ended
    established      call-clear-request           cleared                   ended
    established      hang-up                      send-clear                wait_disconnect
    wait_disconnect  call-disconnect-notify       finish                    ended
    wait_disconnect  call-clear-request           finish                    ended
    wait_disconnect  timeout                      out-of-step               ended
    """,
    State,
    Event,
    Action.IGNORE,
)

TABLES = {
    (Role.PNS, CallKind.OUTGOING): PNS_OUTGOING,
    (Role.PAC, CallKind.OUTGOING): PAC_OUTGOING,
    (Role.PAC, CallKind.INCOMING): PAC_INCOMING,
    (Role.PNS, CallKind.INCOMING): PNS_INCOMING,
}

AWAITED = {
    (CallKind.OUTGOING, State.WAIT_REPLY): "Outgoing-Call-Reply",
    (CallKind.INCOMING, State.WAIT_REPLY): "Incoming-Call-Reply",
    (CallKind.OUTGOING, State.WAIT_CS_ANS): "answer of the called line",
    (CallKind.INCOMING, State.WAIT_CONNECT): "Incoming-Call-Connected",
    (CallKind.OUTGOING, State.WAIT_DISCONNECT): "Call-Disconnect-Notify",
    (CallKind.INCOMING, State.WAIT_DISCONNECT): "Call-Disconnect-Notify",
}
"What a transient state waits for."
