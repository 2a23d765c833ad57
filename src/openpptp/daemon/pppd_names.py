"""Every option name of pppd: how many words follow it, and what it is to us or where pppd_options.py takes it.

Names of pppd 2.4.9 (Debian) and 2.5.3, of its plugins, and of forks from 2003.
"""

from typing import NamedTuple

from openpptp.credentials import AuthMethod

ALREADY = {
    "nothing is ever compressed": """nobsdcomp -bsdcomp nodeflate -deflate nodeflatedraft nopredictor1 -predictor1
        novj -vj novjccomp -vjccomp""",
    "no default route ever leads to a client": """nodefaultroute -defaultroute nodefaultroute6 -defaultroute6
        noreplacedefaultroute""",
    "nobody comes in without a log-in": "auth",
    "this server never logs in at a client, so it refuses all such methods": """refuse-pap -pap refuse-chap -chap
        refuse-mschap -mschap refuse-mschap-v2 -mschap-v2 refuse-eap -eap -chapms -chapms-v2""",
    "a user is looked up as DOMAIN\\user and as user": "chapms-strip-domain",
    "no password is ever logged": "hide-password",
    "it stays in the foreground": "nodetach -detach",
    "there is no multilink": "nomp nomultilink -mp nompshortseq noendpoint",
    "there is no IPX": "noipx -ipx noipx-routing",
    "there is no ECP": "noecp -ecp",
    "a client gets no address but the one it was given": "noipdefault",
    "MPPE is stateless": "mppe-stateless",
    "there is no such file to lock": "nolock -lock",
}
"Words to options that ask for what this server does anyway."

LEFT_OUT = {
    "a tunnel is no serial line": """asyncmap/1 -as/1 default-asyncmap -am escape/1 receive-all sync local modem
        crtscts cdtrcts nocrtscts -crtscts nocdtrcts -cdtrcts xonxoff lock datarate/1 stop-bits/1 nodtrcts
        connect/1 disconnect/1 welcome/1 init/1 pty/1 notty socket/1 record/1 connect-delay/1""",
    "this server runs one process for all sessions": """detach updetach master_detach up_sdnotify linkname/1
        child-timeout/1 privgroup/1""",
    "one interface serves all sessions (server.interface)": "ifname/1 unit/1 netmask/1",
    "it is for the end that dials out": """user/1 +ua/1 password/1 remotename/1 persist nopersist holdoff/1 maxfail/1
        demand active-filter/1 callback/1 nocallback usepeerdns usepeerwins noresolvconf defaultroute
        replacedefaultroute defaultroute-metric/1 defaultroute6 defaultroute6-metric/1 ipcp-accept-local noremoteip
        need-peer-eap show-password""",
    "the log goes to standard error (systemd keeps it); see [log]": """logfile/1 logfd/1 nologfd nolog
        kdebug/1 dump dryrun""",
    "the times and counts of RFC 1661 are used": """lcp-restart/1 lcp-max-terminate/1 lcp-max-configure/1
        lcp-max-failure/1 ipcp-restart/1 ipcp-max-terminate/1 ipcp-max-configure/1 ipcp-max-failure/1
        ipv6cp-restart/1 ipv6cp-max-terminate/1 ipv6cp-max-configure/1 ipv6cp-max-failure/1 chap-restart/1
        chap-max-challenge/1 chap-timeout/1 pap-restart/1 pap-max-authreq/1 pap-timeout/1 eap-restart/1
        eap-max-sreq/1 eap-timeout/1 eap-max-rreq/1 eap-interval/1""",
    "a client proves itself once, when it comes": "chap-interval/1",
    "echo requests are sent at a fixed interval, whatever passes": "lcp-echo-adaptive lcp-rtt-file/1",
    "what is sent follows the client's own MRU and the way to it": "mtu/1",
    "LCP is negotiated in the usual way, with its header left out where the client agrees": """noaccomp -ac nopcomp -pc
        nomagic -mn passive -p silent""",
    "nothing is ever compressed, and clients do without": """bsdcomp/1 deflate/1 predictor1 lzs/1
        vj-max-slots/1""",
    "there is no multilink": "mp multilink +mp mrru/1 mpshortseq bundle/1 endpoint/1",
    "pptpd gives the address itself, and so does this server": """ipcp-accept-remote ipcp-no-address
        ipcp-no-addresses nosendip noip -ip""",
    "forwarding is set by network.forward, and undone at the end": "ktune noktune",
    "IPv6 inside is link-local only": """ipv6cp-accept-local ipv6cp-accept-remote ipv6cp-use-ipaddr
        ipv6cp-use-persistent ipv6cp-use-remotenumber ipv6cp-noremote ipv6cp-nosend""",
    "there is no IPX": """ipx +ipx ipx-network/1 ipx-node/1 ipx-router-name/1 ipx-routing/1 ipxcp-accept-local
        ipxcp-accept-network ipxcp-accept-remote ipxcp-restart/1 ipxcp-max-configure/1 ipxcp-max-terminate/1
        ipxcp-max-failure/1""",
    "there is no such limit here": "minconnect/1",
    "octets are limited in a day, week or month, and not in a session (policy.quota)": """maxoctets/1 mo/1
        mo-direction/1 mo-timeout/1""",
    "programs that run for a session get what pptpd gave them": "ipparam/1 remotenumber/1 set/1 unset/1",
    "ip-up, ip-down, auth-up and auth-down are run, and no others": """ip-pre-up-script/1 ipv6-up-script/1
        ipv6-down-script/1 net-init-script/1 net-pre-up-script/1 net-down-script/1 ipx-up-script/1
        ipx-down-script/1""",
    "there is no EAP; clients take MS-CHAPv2 instead": """require-eap +eap ca/1 capath/1 cert/1 key/1 crl/1
        crl-dir/1 pkcs12/1 max-tls-version/1 tls-verify-method/1 tls-verify-key-usage srp-interval/1
        srp-pn-secret/1 srp-use-pseudonym""",
    "users are in the secrets file, not in the system's accounts": "login enable-session papcrypt",
    "there is no RADIUS; users whom only RADIUS knows cannot log in": """radius-config-file/1 avpair/1 map-to-ifname
        map-to-ttyname realms-config-file/1""",
    "there is no DHCPv6 relay": "dhcpv6-server/1 dhcpv6-trusted/1",
    "the device cannot be put into a VRF from here; start the server there: ip vrf exec NAME openpptp serve": "vrf/1",
}
"Why to options that are read and left out."

WEAKENED = {
    "a filter that pppd applied to every packet is not applied; put it into nftables": "pass-filter/1",
    "numbers and addresses that pppd held clients to are not looked at": "allow-number/1",
    "it let clients without a log-in use addresses; here everybody must log in": "allow-ip/1",
}
"Why to options whose absence makes somebody less safe, or cuts somebody off."

SECRET = frozenset({"password", "+ua", "avpair", "srp-pn-secret", "connect", "disconnect", "welcome", "init", "pty"})
"Options whose arguments are not repeated in a report."


class Name(NamedTuple):
    """One option."""

    arguments: int
    words: str


def _table(groups: dict[str, str]) -> dict[str, Name]:
    table = {}
    for words, names in groups.items():
        for entry in names.split():
            name, _, count = entry.partition("/")
            assert name not in table, name
            table[name] = Name(int(count or 0), words)
    return table


HONOURED = _table(ALREADY)
IGNORED = _table(LEFT_OUT)
DANGEROUS = _table(WEAKENED)


METHODS = {
    AuthMethod.PAP: ("require-pap", "+pap"),
    AuthMethod.CHAP_MD5: ("require-chap", "+chap"),
    AuthMethod.MSCHAP_V1: ("require-mschap", "+mschap", "require-chapms", "+chapms", "chapms"),
    AuthMethod.MSCHAP_V2: ("require-mschap-v2", "+mschap-v2", "require-chapms-v2", "+chapms-v2", "chapms-v2"),
}
WHY_WEAK = {
    AuthMethod.PAP: "passwords cross the network in clear text, and such a log-in makes no keys for encryption",
    AuthMethod.CHAP_MD5: "recorded log-ins let passwords be guessed, and such a log-in makes no keys for encryption",
    AuthMethod.MSCHAP_V1: "the password can be computed from one recorded log-in",
}
MPPE = {
    "require-mppe": ("require-mppe", "+mppe"),
    "require-mppe-40": ("require-mppe-40", "+mppe-40", "mppe-40"),
    "require-mppe-128": ("require-mppe-128", "+mppe-128", "mppe-128"),
    "nomppe": ("nomppe", "-mppe", "noccp", "-ccp"),
    "nomppe-40": ("nomppe-40", "-mppe-40"),
    "nomppe-128": ("nomppe-128", "-mppe-128"),
    "mppe-stateful": ("mppe-stateful", "+mppe-stateful"),
    "nomppe-stateful": ("nomppe-stateful", "-mppe-stateful"),
}
METHOD_OF = {name: method for method, names in METHODS.items() for name in names}
MPPE_OF = {name: meaning for meaning, names in MPPE.items() for name in names}
NUMBERS = {
    "mru": ("ppp", "mru", 576, 1500),
    "lcp-echo-interval": ("ppp", "echo_interval", 0, 3600),
    "lcp-echo-failure": ("ppp", "echo_failures", 1, 100),
}
"Options with a number, the setting it becomes, and the least and the most that setting takes."
TIMES = ("idle", "maxconnect")
"Options with seconds, 0 for none, which [policy] knows by the same name."
SCRIPTS = {
    "ip-up-script": "ip_up",
    "ip-down-script": "ip_down",
    "auth-up-script": "auth_up",
    "auth-down-script": "auth_down",
}
WITH_WORD = ("file", "call", "name", "domain", "ms-dns", "dns-addr", "ms-wins", "ipv6", "plugin", "mppe")
SWITCHES: dict[str, tuple[str, str, object]] = {
    **dict.fromkeys(("debug", "-d"), ("log", "level", "debug")),
    "proxyarp": ("network", "proxy_arp", True),
    **dict.fromkeys(("noproxyarp", "-proxyarp"), ("network", "proxy_arp", False)),
}
"Options without a word, and the setting each becomes."
ALONE = ("usehostname", "noauth", "+ipv6", "noipv6", "-ipv6", "default-mru", "-mru", *SWITCHES)
ARGUMENTS = {
    **dict.fromkeys((*WITH_WORD, *NUMBERS, *TIMES, *SCRIPTS, "chap-secrets", "pap-secrets", "ntlm_auth-helper"), 1),
    **dict.fromkeys(ALONE, 0),
}
"Options handled here, and how many words follow each."
KNOWN = {
    *HONOURED,
    *IGNORED,
    *DANGEROUS,
    *ARGUMENTS,
    *METHOD_OF,
    *MPPE_OF,
}
