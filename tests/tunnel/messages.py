"""One sample of every control message, for tests that go through them all."""

from openpptp.wire.control import (
    CallClearRequest,
    CallDisconnectNotify,
    ControlMessage,
    EchoReply,
    EchoRequest,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
    WanErrorNotify,
)

PEER = 0x4242
"The Call ID the peer assigned, in all samples."

START_REQUEST = StartControlConnectionRequest(host_name="there", vendor_name="Somebody")
START_REPLY = StartControlConnectionReply(0x0100, 1, host_name="there", vendor_name="Somebody")


def samples(ours: int) -> list[ControlMessage]:
    """Return every message a peer can send about the call that is ours for us and PEER for it, good and bad results."""
    return [
        START_REQUEST,
        StartControlConnectionRequest(protocol_version=0x0000),
        START_REPLY,
        StartControlConnectionReply(0x0000, 1),
        StartControlConnectionReply(0x0100, 5),
        StartControlConnectionReply(0x0100, 2, 4),
        StopControlConnectionRequest(1),
        StopControlConnectionReply(1),
        EchoRequest(7),
        EchoReply(7),
        OutgoingCallRequest(PEER, 1, 300, 100_000_000),
        OutgoingCallReply(PEER, ours, 1),
        OutgoingCallReply(0, ours, 4),
        OutgoingCallReply(0, ours, 200, 200),
        IncomingCallRequest(PEER, 1),
        IncomingCallReply(PEER, ours, 1),
        IncomingCallReply(0, ours, 2, 4),
        IncomingCallConnected(ours, 64000, 64),
        CallClearRequest(PEER),
        CallDisconnectNotify(PEER, 0),
        CallDisconnectNotify(PEER, 2, 6),
        WanErrorNotify(ours),
        SetLinkInfo(ours),
    ]
