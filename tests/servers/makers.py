"""Servers of the field, each with what sets it apart; rows Q-xx say where each quirk was seen.

What is not known of a maker is as pppd does it. All of them let alice in, with MS-CHAPv2 and MPPE of 128 bit.
"""

from dataclasses import replace

from tests.servers.script import Gre, Rule, Script, on

from openpptp.wire.control import (
    VERSION_1_0,
    OutgoingCallReply,
    SetLinkInfo,
    StartControlConnectionReply,
)

MPPE = "<mppe +H -M +S -L -D -C>"
"128 bit, stateless."


def started(host: str, vendor: str, *, framing: int = 3, bearer: int = 3, channels: int = 0, firmware: int = 0):
    """Return a Start-Control-Connection-Reply."""
    return StartControlConnectionReply(VERSION_1_0, 1, 0, framing, bearer, channels, firmware, host, vendor)


def connected(call_id: int, *, speed: int = 100_000_000, window: int = 64) -> OutgoingCallReply:
    """Return an Outgoing-Call-Reply; the client's Call ID is filled in later."""
    return OutgoingCallReply(call_id, 0, 1, connect_speed=speed, packet_receive_window_size=window)


# What most have in common

LCP_AGREES = on("[LCP ConfReq id={id} {options}]", "[LCP ConfAck id={id} {options}]")
LCP_KEEPS_FULL_HEADERS = on(
    "[LCP ConfReq id={id} {options} <pcomp> <accomp>]", "[LCP ConfRej id={id} <pcomp> <accomp>]"
)
ADMITS = on('[CHAP Response id={id} <*>, name = "{user}"]', '[CHAP Success id={id} "S={proof} M=Access granted"]')
REFUSES = on("wrong response", '[CHAP Failure id={id} "E=691 R=0 C={challenge} V=3 M=Access denied"]')
CCP_AGREES = (
    on(f"[CCP ConfReq id={{id}} {MPPE}]", f"[CCP ConfAck id={{id}} {MPPE}]"),
    on("[CCP ConfReq id={id} <mppe *>]", f"[CCP ConfNak id={{id}} {MPPE}]"),
)
IPCP_GIVES = (
    on("[IPCP ConfReq id={id} <addr {address}>]", "[IPCP ConfAck id={id} <addr {address}>]"),
    on("[IPCP ConfReq id={id} <addr *>]", "[IPCP ConfNak id={id} <addr {address}>]"),
)
ENDS = (
    on("[LCP TermReq id={id}*]", "[LCP TermAck id={id}]"),
    on("[LCP TermAck *]"),
    on("[LCP EchoReq id={id} magic=*]", "[LCP EchoRep id={id} magic=0x0]"),
    on("[LCP EchoRep *]"),
)


def challenge(name: str, identifier: int = 1) -> str:
    """Return the Challenge of a server with this name."""
    return f'[CHAP Challenge id={identifier:#x} <{{challenge}}>, name = "{name}"]'


# The makers

PPPD_ASKS = "[LCP ConfReq id=0x1 <asyncmap 0x0> <auth chap MS-v2> <magic 0xaa471106> <pcomp> <accomp>]"

PPTPD = Script(
    "pptpd with pppd",
    started("local", "linux", framing=0, bearer=0, channels=1, firmware=1),
    connected(0x100),
    (
        on("call", PPPD_ASKS),
        LCP_AGREES,
        on("LCP up", "[LCP EchoReq id=0x0 magic=0xaa471106]", challenge("pptpd", 0x88)),
        on(ADMITS.heard, *ADMITS.said, f"[CCP ConfReq id=0x1 {MPPE}]"),
        REFUSES,
        *CCP_AGREES,
        on("[IPCP ConfReq id={id} *]", "[IPCP TermAck id={id}]", before="CCP up"),
        on("CCP up", "[IPCP ConfReq id=0x1 <addr 192.168.2.2>]"),
        *IPCP_GIVES,
        *ENDS,
    ),
)

RRAS_LINK = "<magic 0x1b8d49a2> <pcomp> <accomp>"
RRAS_WISHES = (
    "<callback CBCP> <mrru 1614> <endpoint [local:9d.80.f6.a5.0d.48.44.4c.9b.8b.8c.0a.6d.c4.0b.01]> < 17 04 00 02>"
)
"Callback, multilink and, as option 0x17, the link discriminator of BAP (Q-41)."
RRAS_NETWORK = ("[CCP ConfReq id=0x5 <mppe +H -M +S -L -D +C>]", "[IPCP ConfReq id=0x6 <addr 192.168.0.1>]")
RRAS = Script(
    "Windows RRAS",
    started("", "Microsoft", framing=2),
    connected(0x2DEB, speed=13_277_755, window=16384),
    (
        on("call", f"[LCP ConfReq id=0x0 <mru 1400> <auth eap> {RRAS_LINK} {RRAS_WISHES}]"),
        LCP_AGREES,
        on(f"[LCP ConfRej id=0x0 {RRAS_WISHES}]", f"[LCP ConfReq id=0x1 <mru 1400> <auth eap> {RRAS_LINK}]"),
        on("[LCP ConfNak id=0x1 <auth chap MS-v2>]", f"[LCP ConfReq id=0x2 <mru 1400> <auth chap MS-v2> {RRAS_LINK}]"),
        on(
            "LCP up",
            challenge("VPN-SERVER", 0),
            '[LCP Ident id=0x3 magic=0x1b8d49a2 "MSRASV5.20"]',
            '[LCP Ident id=0x4 magic=0x1b8d49a2 "MSRAS-0-VPN-SERVER"]',
        ),
        on(ADMITS.heard, '[CHAP Success id={id} "S={proof}"]', *RRAS_NETWORK),
        REFUSES,
        on(f"[CCP ConfNak id=0x5 {MPPE}]", f"[CCP ConfReq id=0x7 {MPPE}]"),
        *CCP_AGREES,
        *IPCP_GIVES,
        *ENDS,
    ),
    address="192.168.0.77",
    after_call=(SetLinkInfo(0, 0, 0xFFFFFFFF), SetLinkInfo(0)),
    disconnect_result=0,
)

CISCO = Script(
    "Cisco IOS",
    started("vpn-router", "Cisco Systems, Inc.", firmware=4608),
    connected(0x18, speed=64000, window=16),
    (
        on("call", "[LCP ConfReq id=0x1 <auth chap MS-v2> <magic 0xf3f117c>]"),
        LCP_KEEPS_FULL_HEADERS,
        LCP_AGREES,
        on("LCP up", challenge("vpn-router")),
        on(ADMITS.heard, *ADMITS.said, "[IPCP ConfReq id=0x1 <addr 17.1.1.118>]", f"[CCP ConfReq id=0x1 {MPPE}]"),
        REFUSES,
        *CCP_AGREES,
        *IPCP_GIVES,
        *ENDS,
    ),
    #
    Gre(first_sequence=1, nothing_yet=True, loses_first=1, full_headers=True),
    address="17.1.1.122",
)

MIKROTIK = Script(
    "MikroTik RouterOS",
    started("MikroTik", "MikroTik"),
    connected(0x1600),
    (
        on("call", "[LCP ConfReq id=0x1 <mru 1450> <auth chap MS-v2> <magic 0xc644c805>]"),
        on("[LCP ConfReq id={id} <asyncmap {map}>*]", "[LCP ConfRej id={id} <asyncmap {map}>]"),
        LCP_KEEPS_FULL_HEADERS,
        LCP_AGREES,
        on("LCP up", challenge("MikroTik", 0x3A)),
        on(
            ADMITS.heard,
            '[CHAP Success id={id} "S={proof}"]',
            "[IPCP ConfReq id=0x1 <addr 192.168.88.1>]",
            "[CCP ConfReq id=0x1 <mppe +H -M +S +L -D -C>]",
        ),
        REFUSES,
        on(f"[CCP ConfNak id=0x1 {MPPE}]", f"[CCP ConfReq id=0x2 {MPPE}]"),
        *CCP_AGREES,
        *IPCP_GIVES,
        *ENDS,
    ),
    address="192.168.88.254",
)

COLUBRIS = Script(
    "Colubris",
    started("local", "MoretonBay", channels=1, firmware=1),
    connected(0x4),
    (
        on("call", "[LCP ConfReq id=0x1 <asyncmap 0x0> <auth eap> <magic 0xd3515db> <pcomp> <accomp>]"),
        LCP_AGREES,
        on(
            "[LCP ConfNak id=0x1 <auth chap MS-v2>]",
            "[LCP ConfReq id=0x2 <asyncmap 0x0> <auth chap MS-v2> <magic 0xd3515db> <pcomp> <accomp>]",
        ),
        on("LCP up", challenge("127.0.0.1")),
        on(
            ADMITS.heard,
            '[CHAP Success id={id} "S={proof}"]',
            "[IPCP ConfReq id=0x1 <addr 192.168.2.1> <compress VJ 0f 01>]",
            f"[CCP ConfReq id=0x1 {MPPE}]",
        ),
        REFUSES,
        *CCP_AGREES,
        on("[IPCP ConfRej id=0x1 <compress VJ 0f 01>]", "[IPCP ConfReq id=0x2 <addr 192.168.2.1>]"),
        *IPCP_GIVES,
        *ENDS,
    ),
    Gre(first_sequence=1),
    address="192.168.2.2",
)

KERNEL_GRE = Gre(first_sequence=1, ack_alone_after=None)
"The kernel's module pptp: no acknowledgement alone, what is late is dropped (Q-20, Q-22)."
ACCEL_PPP = Script(
    "accel-ppp",
    started("local", "accel-pptp", channels=1),
    connected(0x1, speed=100_000, window=3),
    (
        on("call", "[LCP ConfReq id=0x1 <auth chap MS-v2> <mru 1436> <magic 0x6b8b4567>]"),
        LCP_AGREES,
        on("LCP up", challenge("accel-ppp")),
        on(ADMITS.heard, *ADMITS.said, "[IPCP ConfReq id=0x1 <addr 192.168.0.1>]"),
        REFUSES,
        # The first, which comes right behind Success, it drops.
        on("[CCP ConfReq id={id} *]", f"[CCP ConfReq id=0x1 {MPPE}]", times=1),
        *CCP_AGREES,
        *IPCP_GIVES,
        *ENDS,
    ),
    KERNEL_GRE,
    address="192.168.0.2",
    disconnect_names_peer=True,
)

PPPD_ON_KERNEL_PPTP = replace(PPTPD, name="pppd on the kernel's pptp", gre=KERNEL_GRE)

MPD_ADDRESS = "[IPCP ConfReq id=0x1 <addr 10.9.0.1> <compress VJ 0f 01>]"
MPD = Script(
    "FreeBSD mpd",
    started("freebsd", "FreeBSD MPD", channels=100, firmware=257),
    connected(0x4E20, speed=64000, window=16),
    (
        on("call", "[LCP ConfReq id=0x1 <accomp> <pcomp> <mru 1500> <magic 0x5bd1e995> <auth chap MS-v2>]"),
        LCP_AGREES,
        on("LCP up", challenge("freebsd")),
        on(ADMITS.heard, *ADMITS.said, MPD_ADDRESS, f"[CCP ConfReq id=0x1 {MPPE}]"),
        REFUSES,
        on("[IPCP ConfRej id=0x1 <compress VJ 0f 01>]", "[IPCP ConfReq id=0x2 <addr 10.9.0.1>]"),
        *CCP_AGREES,
        *IPCP_GIVES,
        *ENDS,
    ),
    Gre(send_window=16, short_inner_protocol=True),
)

NPPPD = Script(
    "OpenBSD npppd",
    started("", "", framing=2, bearer=2, channels=4, firmware=0x100),
    connected(0x7, speed=1_000_000),
    (
        on("call", "[LCP ConfReq id=0x1 <mru 1400> <auth chap MS-v2> <magic 0x2ba6bc3f> <pcomp> <accomp>]"),
        LCP_AGREES,
        on("LCP up", challenge("npppd")),
        on(
            ADMITS.heard,
            *ADMITS.said,
            "[CCP ConfReq id=0x1 <mppe +H +M +S +L -D -C>]",
            "[IPCP ConfReq id=0x1 <addr 10.9.0.1>]",
        ),
        REFUSES,
        on(f"[CCP ConfNak id=0x1 {MPPE}]", f"[CCP ConfReq id=0x2 {MPPE}]"),
        *CCP_AGREES,
        *IPCP_GIVES,
        *ENDS,
    ),
    Gre(first_sequence=1, ack_alone_after=None, ack_alone_every=32, wants_exact_acks=True),
)

MAKERS = (PPTPD, PPPD_ON_KERNEL_PPTP, RRAS, COLUBRIS, CISCO, MIKROTIK, ACCEL_PPP, MPD, NPPPD)


def with_rules(script: Script, *first: Rule, **changes: object) -> Script:
    """Return a script that heeds some rules before its own."""
    return replace(script, rules=(*first, *script.rules), **changes)  # type: ignore[arg-type]
