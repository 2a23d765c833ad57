"""Rule sets as the firewalls of Linux hosts keep them, for tests beside them.

INSIDE is the tunnel's device, world0 leads to the world. Those of iptables are what iptables-save prints.
"""

CLOSED = """
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        iif lo accept
        ct state { established, related } accept
        ct state invalid drop
        tcp dport 22 accept
        meta l4proto icmp limit rate 4/second accept
        OPEN
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        WAY
    }
}
"""
DOORS = "tcp dport 1723 accept\nmeta l4proto gre accept"
OPEN = CLOSED.replace("OPEN", DOORS).replace("WAY", 'iifname "inside" accept')
CLOSED = CLOSED.replace("OPEN", "").replace("WAY", "")
VERDICT_MAPS = """
table inet firewall {
    set doors { type inet_service; flags interval; elements = { 22, 1700-1800 }; }
    map ways { type ifname : verdict; elements = { "lo" : accept, "world0" : jump from_world }; }
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { invalid : drop, established : accept, related : accept }
        iifname vmap @ways
    }
    chain from_world {
        tcp dport @doors counter accept
        ip protocol { icmp, gre } accept
        tcp dport 8000-9000 drop
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
        iifname vmap { "inside" : goto from_clients, "world0" : goto from_world_on }
    }
    chain from_clients { ip saddr 10.88.0.0/24 oifname "wor*" return; drop; }
    chain from_world_on { ct state != new accept; reject with icmpx admin-prohibited; }
}
"""
STRANGERS_STAY_OUT = """
table ip firewall {
    chain input {
        type filter hook input priority filter; policy accept;
        ip saddr 10.0.0.0/8 tcp dport 1723 accept
        ip saddr 10.0.0.0/8 meta l4proto 47 accept
        meta l4proto { tcp, 47 } reject with icmp admin-prohibited
    }
}
"""
TWO_TABLES = """
table inet generous {
    chain input { type filter hook input priority -10; tcp dport 1723 accept; meta l4proto gre accept; }
}
table inet strict { chain input { type filter hook input priority 10; policy drop; tcp dport 1723 accept; }; }
"""
EARLY = "table ip early { chain c { type filter hook prerouting priority raw; meta l4proto gre drop; }; }"
UNKNOWN = """
table ip filter {
    chain input {
        type filter hook input priority filter; policy drop;
        meta mark 7 tcp dport 1723 accept
        meta l4proto gre accept
    }
}
"""

FIREWALLD = """
table inet firewalld {
    chain filter_PREROUTING {
        type filter hook prerouting priority filter + 10; policy accept;
        icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
        meta nfproto ipv6 fib saddr . mark . iif oif missing drop
    }
    chain filter_INPUT {
        type filter hook input priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        jump filter_INPUT_ZONES
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24 } reject with icmpv6 addr-unreachable
        jump filter_FORWARD_ZONES
        reject with icmpx admin-prohibited
    }
    chain filter_INPUT_ZONES { TRUSTED_IN iifname "world0" goto filter_IN_public; goto filter_IN_public; }
    chain filter_FORWARD_ZONES { TRUSTED_FWD iifname "world0" goto filter_FWD_public; goto filter_FWD_public; }
    chain filter_INPUT_POLICIES_pre { jump filter_IN_policy_allow-host-ipv6; }
    chain filter_IN_policy_allow-host-ipv6 { icmpv6 type { nd-neighbor-advert, nd-router-advert } accept; }
    chain filter_IN_public {
        jump filter_INPUT_POLICIES_pre
        jump filter_IN_public_allow
        meta l4proto { icmp, ipv6-icmp } accept
        reject with icmpx admin-prohibited
    }
    chain filter_IN_public_allow {
        tcp dport 22 accept
        ip6 daddr fe80::/64 udp dport 546 accept
        ALLOW
    }
    chain filter_FWD_public { jump filter_FWD_public_allow; reject with icmpx admin-prohibited; }
    chain filter_FWD_public_allow { oifname "world0" iifname "world0" accept; }
    chain filter_IN_trusted { accept; }
    chain filter_FWD_trusted { accept; }
}
"""
FIREWALLD_CLOSED = FIREWALLD.replace("TRUSTED_IN", "").replace("TRUSTED_FWD", "").replace("ALLOW", "")
"What `firewall-cmd` leaves after the three commands."
FIREWALLD_OPEN = (
    FIREWALLD.replace("TRUSTED_IN", 'iifname "inside" goto filter_IN_trusted;')
    .replace("TRUSTED_FWD", 'iifname "inside" goto filter_FWD_trusted;')
    .replace("ALLOW", DOORS)
)

IPTABLES = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m multiport --dports 22,80,1700:1720 -j ACCEPT
-A INPUT -s 10.0.0.0/8 -p gre -j ACCEPT
-A INPUT ! -i world0 -p tcp -j ACCEPT
COMMIT
"""

UFW = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
:ufw-before-forward - [0:0]
:ufw-before-logging-input - [0:0]
:ufw-after-input - [0:0]
:ufw-after-logging-input - [0:0]
:ufw-logging-deny - [0:0]
:ufw-not-local - [0:0]
:ufw-reject-input - [0:0]
:ufw-reject-forward - [0:0]
:ufw-skip-to-policy-input - [0:0]
:ufw-track-input - [0:0]
:ufw-user-input - [0:0]
:ufw-user-forward - [0:0]
-A INPUT -j ufw-before-logging-input
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-input
-A INPUT -j ufw-after-logging-input
-A INPUT -j ufw-reject-input
-A INPUT -j ufw-track-input
-A FORWARD -j ufw-before-forward
-A FORWARD -j ufw-reject-forward
-A ufw-after-input -p udp -m udp --dport 137 -j ufw-skip-to-policy-input
-A ufw-after-input -m addrtype --dst-type BROADCAST -j ufw-skip-to-policy-input
-A ufw-after-logging-input -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 3 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ufw-not-local -m addrtype --dst-type BROADCAST -j RETURN
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j ufw-logging-deny
-A ufw-not-local -j DROP
-A ufw-skip-to-policy-input -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
ALLOWED\
COMMIT
"""
UFW_CLOSED = UFW.replace("ALLOWED", "")
"What ufw adds for the four commands."
UFW_OPEN = UFW.replace(
    "ALLOWED",
    "-A ufw-user-input -p tcp -m tcp --dport 1723 -j ACCEPT\n-A ufw-user-input -p gre -j ACCEPT\n"
    "-A ufw-user-forward -i inside -j ACCEPT\n-A ufw-user-forward -o inside -j ACCEPT\n",
)

DOCKER = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
ALLOWED-A DOCKER-USER -j RETURN
COMMIT
"""
DOCKER_CLOSED = DOCKER.replace("ALLOWED", "")
DOCKER_OPEN = DOCKER.replace("ALLOWED", "-A DOCKER-USER -o inside -j ACCEPT\n-A DOCKER-USER -i inside -j ACCEPT\n")
