"""Names of accel-ppp.conf: which sections and keys are left out, and why."""

from openpptp.credentials import AuthMethod

METHODS = {
    "auth_pap": AuthMethod.PAP,
    "auth_chap_md5": AuthMethod.CHAP_MD5,
    "auth_mschap_v1": AuthMethod.MSCHAP_V1,
    "auth_mschap_v2": AuthMethod.MSCHAP_V2,
}
OPEN = frozenset(
    [
        *("modules", "core", "common", "log", "pptp", "ppp", "auth", "ip-pool", "client-ip-range", "dns", "wins"),
        *("chap-secrets", "shaper", "connlimit", "pppd-compat", "metrics"),
    ]
)
"Sections that hold no secret, so that their lines may be shown."
MANY = {"ip-pool", "client-ip-range", "modules"}
"Sections that are lists: their lines are taken one by one, and none hides another."

NO_TIMERS = "the times and counts of RFC 1661 are used"
LEFT_OUT = {
    "core": "threads and logs are set elsewhere: server.threads, [log]",
    "common": "[limits] and [policy] say how many sessions there may be",
    "log": "the log goes to standard error (systemd keeps it); see [log]",
    "radius": "there is no RADIUS; users whom only RADIUS knows cannot log in",
    "shaper": "rates are kept by token buckets: policy.rate and policy.burst",
    "pppd-compat": "its programs are named with other words; see [hooks]",
    "connlimit": "connections are limited by [limits]",
    "cli": "there is no telnet or TCP console",
    "metrics": "there are no metrics yet",
    "snmp": "there is no SNMP",
}
IGNORED = {
    ("pptp", "verbose"): "what is logged is set in [log]",
    ("pptp", "echo-failure"): "one echo without an answer closes a control connection",
    ("pptp", "ifname"): "one interface serves all sessions (server.interface)",
    ("pptp", "ppp-max-mtu"): "ppp.mru decides",
    ("pptp", "ipv6-pool"): "IPv6 inside is link-local only",
    ("pptp", "ipv6-pool-delegate"): "IPv6 inside is link-local only",
    ("ppp", "verbose"): "what is logged is set in [log]",
    ("ppp", "min-mtu"): "every client gets packets that fit its MRU",
    ("ppp", "mtu"): "what is sent follows the client's own MRU and the way to it",
    ("ppp", "max-mtu"): "what is sent follows the client's own MRU and the way to it",
    ("ppp", "accomp"): "LCP is negotiated in the usual way",
    ("ppp", "pcomp"): "LCP is negotiated in the usual way",
    ("ppp", "ccp-max-configure"): NO_TIMERS,
    ("ppp", "timeout"): NO_TIMERS,
    ("ppp", "max-configure"): NO_TIMERS,
    ("ppp", "max-failure"): NO_TIMERS,
    ("ppp", "max-terminate"): NO_TIMERS,
    ("ppp", "check-ip"): "no address is given out twice",
    ("ppp", "ipv4"): "every session has IPv4",
    ("ppp", "ipv6-intf-id"): "the interface identifiers are our own",
    ("ppp", "ipv6-peer-intf-id"): "the interface identifiers are our own",
    ("ppp", "ipv6-accept-peer-intf-id"): "the interface identifiers are our own",
    ("ppp", "lcp-echo-timeout"): "a client is asked at a fixed interval, whatever passes",
    ("ppp", "unit-cache"): "there are no kernel interfaces to keep",
    ("ppp", "unit-preallocate"): "there are no kernel interfaces to keep",
    ("auth", "timeout"): NO_TIMERS,
    ("auth", "interval"): "a client proves itself once, when it comes",
    ("auth", "max-failure"): "a refused log-in ends the session, and too many close the door for a while",
    ("auth", "challenge-name"): "it is server.name",
    ("auth", "any-login"): "nobody comes in here without the right password",
    ("auth", "noauth"): "nobody comes in here without a log-in",
    ("ip-pool", "shuffle"): "the address unused longest is given",
    ("ip-pool", "reload-orphan"): "a pool that changes needs a restart",
    ("ip-pool", "gw"): "accel-ppp ignores it too",
    ("ip-pool", "attr"): "there is no RADIUS",
    ("ip-pool", "vendor"): "there is no RADIUS",
    ("ip-pool", "tunnel"): "one address of ours serves all sessions (network.local_address)",
}
