"""One value of every control message, and frames of every protocol, for codec tests and the judge."""

from openpptp.wire.control import (
    CallClearRequest,
    CallDisconnectNotify,
    DisconnectResult,
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
    StopReason,
    WanErrorNotify,
)

GUID = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")

# Each with octets written by hand from RFC 2637: (message, size, body in hexadecimal after the 12 octets of header).
MESSAGES = [
    (
        StartControlConnectionRequest(0x0100, 1, 2, 3, 4, "host", "vendor"),
        156,
        "0100 0000 00000001 00000002 0003 0004" + b"host".ljust(64, b"\0").hex() + b"vendor".ljust(64, b"\0").hex(),
    ),
    (
        StartControlConnectionReply(0x0100, 2, 4, 2, 1, 5, 6, "h" * 64, ""),
        156,
        "0100 02 04 00000002 00000001 0005 0006" + "68" * 64 + "00" * 64,
    ),
    (StopControlConnectionRequest(StopReason.STOP_LOCAL_SHUTDOWN), 16, "03 00 0000"),
    (StopControlConnectionReply(1, 0), 16, "01 00 0000"),
    (EchoRequest(0xDEADBEEF), 16, "deadbeef"),
    (EchoReply(0xDEADBEEF, 1, 0), 20, "deadbeef 01 00 0000"),
    (
        OutgoingCallRequest(0x1234, 7, 300, 100_000_000, 3, 1, 64, 2, "5551234", GUID),
        168,
        "1234 0007 0000012c 05f5e100 00000003 00000001 0040 0002 0007 0000"
        + b"5551234".ljust(64, b"\0").hex()
        + GUID.ljust(64, b"\0").hex(),
    ),
    (
        OutgoingCallReply(0x8001, 0x1234, 1, 0, 9, 10_000_000, 16384, 3, 5),
        32,
        "8001 1234 01 00 0009 00989680 4000 0003 00000005",
    ),
    (
        IncomingCallRequest(0x0102, 8, 2, 0x01020304, "12", "345", b"sub"),
        220,
        "0102 0008 00000002 01020304 0002 0003"
        + b"12".ljust(64, b"\0").hex()
        + b"345".ljust(64, b"\0").hex()
        + b"sub".ljust(64, b"\0").hex(),
    ),
    (IncomingCallReply(0x0203, 0x0102, 1, 0, 64, 4), 24, "0203 0102 01 00 0040 0004 0000"),
    (IncomingCallConnected(0x0203, 64000, 64, 1, 2), 28, "0203 0000 0000fa00 0040 0001 00000002"),
    (CallClearRequest(0x1234), 16, "1234 0000"),
    (
        CallDisconnectNotify(0x8001, DisconnectResult.REQUEST, 0, 16, "sent 5"),
        148,
        "8001 04 00 0010 0000" + b"sent 5".ljust(128, b"\0").hex(),
    ),
    (
        WanErrorNotify(0x1234, 1, 2, 3, 4, 5, 6),
        40,
        "1234 0000 00000001 00000002 00000003 00000004 00000005 00000006",
    ),
    (SetLinkInfo(0x8001, 0xFFFFFFFF, 0x000A0000), 24, "8001 0000 ffffffff 000a0000"),
]

# In pppd's notation; tests.notation.frame turns them into octets.
FRAMES = [
    "[LCP ConfReq id=0x1 <mru 1400> <asyncmap 0x0> <auth chap MS-v2> <magic 0x1020304> <pcomp> <accomp>]",
    "[LCP ConfReq id=0x2 <auth pap> <quality lqr 00 00 00 64>]",
    "[LCP ConfReq id=0x3 <auth chap MD5> <mrru 1614> <ssnhf> <endpoint [MAC:00:01:02:03:04:05]>]",
    "[LCP ConfAck id=0x4 <auth chap MS> <endpoint [IP:192.0.2.1]> <endpoint [local:61.62.63]>]",
    "[LCP ConfNak id=0x5 <auth eap>]",
    "[LCP ConfRej id=0x6 <callback CBCP> < 17 04 00 01>]",
    "[LCP ConfReq id=0x7]",
    '[LCP TermReq id=0x8 "MPPE required but not available"]',
    "[LCP TermReq id=0x9 magic=0x1020304 ras-error=919 (the other side refused to be authenticated)]",
    "[LCP TermAck id=0x9]",
    "[LCP CodeRej id=0xa 0e 01 00 04]",
    "[LCP ProtRej id=0xb 80 57 01 01 00 04]",
    "[LCP EchoReq id=0xc magic=0x1020304]",
    "[LCP EchoRep id=0xc magic=0x5060708 61 62]",
    "[LCP DiscReq id=0xd magic=0x0]",
    '[LCP Ident id=0xe magic=0x1020304 "MSRASV5.20"]',
    '[LCP TimeRem id=0xf magic=0x1020304 seconds=60 "bye"]',
    "[LCP TimeRem id=0xf magic=0x1020304 seconds=60]",
    "[LCP code=0x20 id=0x10 01 02]",
    '[CHAP Challenge id=0x7 <000102030405060708090a0b0c0d0e0f>, name = "pptpd"]',
    "[CHAP Response id=0x7 <" + "1f" * 49 + '>, name = "DOM\\\\user"]',
    '[CHAP Success id=0x7 "S=0123456789ABCDEF0123456789ABCDEF01234567 M=Access granted"]',
    '[CHAP Failure id=0x7 "E=691 R=0 C=000102030405060708090A0B0C0D0E0F V=3 M=no"]',
    '[PAP AuthReq id=0x1 user="bob" password="secret"]',
    '[PAP AuthAck id=0x1 "Login ok"]',
    '[PAP AuthNak id=0x1 ""]',
    "[CCP ConfReq id=0x1 <mppe +H -M +S -L -D -C>]",
    "[CCP ConfNak id=0x2 <mppe -H +M -S +L -D -C>]",
    "[CCP ConfRej id=0x3 <deflate 15> <deflate(old#) 15> <bsd v1 15>]",
    "[CCP ResetReq id=0x4]",
    "[CCP ResetAck id=0x4]",
    "[IPCP ConfReq id=0x1 <compress VJ 0f 01> <addr 0.0.0.0> <ms-dns1 0.0.0.0> <ms-wins 0.0.0.0>"
    " <ms-dns2 0.0.0.0> <ms-wins2 0.0.0.0>]",
    "[IPCP ConfRej id=0x2 <addrs 10.0.0.1 10.0.0.2>]",
    "[IPV6CP ConfReq id=0x1 <addr fe80::0211:22ff:fe33:4455>]",
    "[IPV6CP TermAck id=0x1]",
]
