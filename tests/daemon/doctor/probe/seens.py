"""What is seen where all is well, and the same with one thing otherwise."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from openpptp.daemon.doctor.probe.methods import METHODS, OUR_METHOD
from openpptp.daemon.doctor.probe.seen import (
    CallSeen,
    GreSeen,
    LcpSeen,
    LoginSeen,
    Method,
    PathSeen,
    Seen,
    TcpOutcome,
    TcpSeen,
)
from openpptp.net.error_queue import IcmpError
from openpptp.net.way import Way
from openpptp.tunnel.outputs import InterfaceUp
from openpptp.wire.control import CallDisconnectNotify, OutgoingCallReply, StartControlConnectionReply

HOST = "vpn.example.org"
SERVER, OURS, ROUTER = IPv4Address("203.0.113.1"), IPv4Address("192.168.1.7"), IPv4Address("192.168.1.1")
CALL_ID, ITS_CALL_ID = 0x1111, 0x2222
PAP, EAP = bytes.fromhex("c023"), bytes.fromhex("c227")
HOME = Way("eth0", "", 1500, ROUTER, OURS)
PUBLIC = HOME._replace(source=IPv4Address("198.51.100.7"))
PROHIBITED = IcmpError(3, 13, ROUTER)


def start_reply(result: int = 1, vendor: str = "linux") -> StartControlConnectionReply:
    return StartControlConnectionReply(0x0100, result, host_name="local", vendor_name=vendor)


def passing(**changes: Any) -> GreSeen:
    values = {"sent": 5, "received": 5, "first_after": 0.01, "heard": True, "time_to_live": 60}
    return GreSeen(**{**values, **changes})


def silent(**changes: Any) -> GreSeen:
    return GreSeen(**{"sent": 8, **changes})


def opened(**changes: Any) -> LcpSeen:
    values = {"requests": 1, "demanded": [OUR_METHOD], "opened_after": 0.02, "peer_mru": 1400, "round_trip": 0.01}
    return LcpSeen(**{**values, **changes})


def call(*, disconnect_id: int | None = ITS_CALL_ID, hung_up: bool = True, **changes: Any) -> CallSeen:
    """Return a call that went well; disconnect_id is the Call ID in the Call-Disconnect-Notify at its end."""
    values: dict[str, Any] = {
        "start_reply": start_reply(),
        "start_after": 0.01,
        "call_id": CALL_ID,
        "call_reply": OutgoingCallReply(ITS_CALL_ID, CALL_ID, 1, packet_receive_window_size=64),
        "call_after": 0.03,
        "disconnect": None if disconnect_id is None else CallDisconnectNotify(disconnect_id, 4 if hung_up else 1),
        "disconnect_after": None if disconnect_id is None else 10.5,
        "hung_up": hung_up,
        "gre": passing(),
        "lcp": opened(),
    }
    return CallSeen(**{**values, **changes})


def seen(**changes: Any) -> Seen:
    """Return what is seen of a server without NAT where all is well, but for these."""
    values: dict[str, Any] = {
        "host": HOST,
        "addresses": (SERVER,),
        "way": PUBLIC,
        "tcp": [TcpSeen(SERVER, TcpOutcome.OPEN, 0.01)],
        "call": call(),
        "second": call(),
        "first_still": True,
        "methods": dict.fromkeys(METHODS, Method.REFUSED) | {OUR_METHOD: Method.TAKEN},
        "path": PathSeen(1440, 1500, 1440),
    }
    return Seen(**{**values, **changes})


def port(outcome: TcpOutcome, *errors: IcmpError, detail: str = "") -> Seen:
    """Return what is seen of a port that does not open."""
    tried = [TcpSeen(SERVER, outcome, 0.01, errors, detail)]
    return Seen(HOST, addresses=(SERVER,), way=PUBLIC, tcp=tried)


def lost(vendor: str = "linux", *, way: Way = PUBLIC, **changes: Any) -> Seen:
    """Return what is seen where the call stands and its GRE does not pass."""
    lost_call = call(**{"start_reply": start_reply(vendor=vendor), "gre": silent(), "lcp": LcpSeen(), **changes})
    return Seen(HOST, addresses=(SERVER,), way=way, tcp=[TcpSeen(SERVER, TcpOutcome.OPEN, 0.01)], call=lost_call)


def logged_in(*, account: str = "alice", **changes: Any) -> Seen:
    """Return what is seen of a log-in, which changes say."""
    ended = changes.pop("ended", None)
    return replace(seen(), account=account, login=call(login=LoginSeen(**{"proved": True, **changes}), ended=ended))


UP = InterfaceUp(
    call_id=CALL_ID,
    user="alice",
    our_address=IPv4Address("10.0.0.2"),
    peer_address=IPv4Address("10.0.0.1"),
    dns=(),
    wins=(),
    our_identifier=None,
    peer_identifier=None,
    mtu=1396,
    key_bits=128,
    encryption_required=True,
    compress_address_control=True,
    compress_protocol=True,
)
