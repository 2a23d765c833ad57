"""What ras_errors.py explains, by number."""

from openpptp.daemon.doctor.ras_errors import RasError

ASK = "openpptp doctor HOST, from the network the Windows machine is in, says which"
NAT_HELPER = "the router before the client has no PPTP helper (passthrough, ALG), so that GRE finds no way back"
FIREWALL_GRE = "a firewall drops GRE (IP protocol 47), which TCP port 1723 says nothing about"
SERVER_GRE = "the router before the server passes TCP port 1723 on to it and not GRE"
METHODS = "the connection allows other authentication methods than the server (MS-CHAPv2 is what both should take)"
L2TP = "nothing: PPTP has no part of this; the connection is of type L2TP/IPsec, or Automatic and has come to L2TP"
SET_PPTP = "set the connection's type to PPTP (PowerShell: Set-VpnConnection NAME -TunnelType Pptp)"

ERRORS: dict[int, RasError] = {
    619: RasError(
        "ERROR_PORT_DISCONNECTED",
        "the port is disconnected",
        "the control connection stood, and the call ended before anybody was asked for a password",
        (NAT_HELPER, FIREWALL_GRE, "the server refused the call or ended it at once: no free call, no PPP program"),
        f"let GRE pass on the way; {ASK}",
    ),
    628: RasError(
        "ERROR_DISCONNECTION",
        "the port was disconnected",
        "the connection was cut in the middle of the log-in",
        (
            "the server ended it: its log has the reason, mostly an authentication or encryption it does not allow",
            "GRE stopped to pass: a NAT forgot it, or a second client behind the same NAT took it",
        ),
        "read the server's log; then openpptp doctor HOST --user NAME",
    ),
    629: RasError(
        "ERROR_REMOTE_DISCONNECTION",
        "the connection was closed by the remote computer",
        "the server hung up during the log-in",
        (
            "the server does not allow what the client insists on: authentication method or encryption",
            "the server ended on a mistake of its own: its PPP program is missing, or its options are wrong",
            "the account is in use, and allowed once",
        ),
        "read the server's log; then openpptp doctor HOST --user NAME",
    ),
    633: RasError(
        "ERROR_PORT_NOT_AVAILABLE",
        "the port is in use or not configured for dial-out",
        "Windows has no free PPTP port (WAN Miniport) of its own; nothing was sent",
        (
            "another VPN connection is up, or one that failed still holds the port",
            "another program has TCP port 1723 on the client",
            "the WAN Miniport (PPTP) is missing or broken",
        ),
        "end other connections, restart the service RasMan or Windows; then remove the WAN Miniport (PPTP) in the "
        "device manager, where it comes back by itself",
    ),
    638: RasError(
        "ERROR_REQUEST_TIMEOUT",
        "the request has timed out",
        "the server took TCP port 1723 and did not answer in time",
        ("the server is overloaded or hangs", "another service listens there", FIREWALL_GRE),
        ASK,
    ),
    645: RasError(
        "ERROR_AUTH_INTERNAL",
        "internal authentication error",
        "the log-in failed inside Windows, or the server's answer to it could not be read",
        (METHODS, "the server's Windows cannot reach its domain or RADIUS server"),
        "allow MS-CHAPv2 on both sides; openpptp doctor HOST lists what the server takes",
    ),
    646: RasError(
        "ERROR_RESTRICTED_LOGON_HOURS",
        "the account may not log in at this time of day",
        "the server's MS-CHAP Failure said E=646",
        ("the account has hours, and this is none of them", "the server's clock is wrong"),
        "change the account's hours on the server",
    ),
    647: RasError(
        "ERROR_ACCT_DISABLED",
        "the account is disabled",
        "the server's MS-CHAP Failure said E=647",
        ("the account is switched off", "it was locked after too many wrong passwords"),
        "enable the account on the server",
    ),
    648: RasError(
        "ERROR_PASSWD_EXPIRED",
        "the password has expired",
        "the server's MS-CHAP Failure said E=648; Windows then offers to change it, which MS-CHAPv2 can carry",
        ("the password is too old, or must be changed at the first log-in",),
        "change the password on the server, or in the dialogue Windows shows",
    ),
    649: RasError(
        "ERROR_NO_DIALIN_PERMISSION",
        "the account may not dial in",
        "the server's MS-CHAP Failure said E=649: the password may well have been right",
        (
            "the account's dial-in permission (RRAS: Dial-in tab) or the network policy (NPS) denies it",
            "the user is in none of the groups the policy names",
        ),
        "permit the account to dial in on the server",
    ),
    678: RasError(
        "ERROR_NO_ANSWER",
        "the remote computer did not answer",
        "no TCP connection to port 1723; older Windows' word for what is 800 or 807 today",
        ("the address or name is wrong", "the server is down", "a firewall drops TCP port 1723"),
        ASK,
    ),
    691: RasError(
        "ERROR_AUTHENTICATION_FAILURE",
        "user name or password not accepted, or the authentication method not permitted",
        "the server refused the log-in (MS-CHAP Failure E=691); everything up to there works",
        (
            "user name or password is wrong; the domain is missing or too much (DOMAIN\\user)",
            METHODS,
            "the server asks a RADIUS server or domain that refuses, with a wrong shared secret for one",
            "the session limit of the account is reached: some servers say so with this number",
        ),
        "openpptp doctor HOST --user NAME tries the same from here; the server's log has the reason",
    ),
    711: RasError(
        "ERROR_RASMAN_CANNOT_INITIALIZE",
        "the Remote Access Connection Manager cannot start",
        "nothing was sent: a service of Windows itself does not run",
        (
            "one of the services RasMan, SstpSvc or Telephony (TapiSrv) is disabled",
            "the system's logs are not writable",
        ),
        "set these services to manual and start RasMan (services.msc); the event log names the one that fails",
    ),
    717: RasError(
        "ERROR_NO_IP_ADDRESSES",
        "no IP addresses are available",
        "the server has no address left for the client (IPCP)",
        ("the pool is used up, by sessions or by their ghosts", "the pool is too small"),
        "end old sessions, or enlarge the pool on the server (ours: network.pool; pptpd: remoteip)",
    ),
    718: RasError(
        "ERROR_PPP_TIMEOUT",
        "a PPP timeout occurred",
        "PPP began, so GRE passes at least one way, and then the server did not answer in time",
        (
            "the server waits for something itself: a RADIUS server that does not answer, for one",
            "GRE passes one way only",
            "packets of that length get lost on the way (MTU)",
        ),
        f"see whether the server reaches its RADIUS server; {ASK}",
    ),
    720: RasError(
        "ERROR_PPP_NO_PROTOCOLS_CONFIGURED",
        "no PPP control protocols are configured",
        "logged in, and the two ends found no network protocol: no address was agreed on (IPCP)",
        (
            "the server has no address for this client: the pool is empty or wrong",
            "the WAN Miniport (IP) of Windows is broken or lost its binding, often by an upgrade or an antivirus",
            "IPv4 is switched off in the connection's settings",
        ),
        "see the server's log for IPCP and its pool; on the client remove the WAN Miniports (IP, IPv6) in the device "
        "manager and restart",
    ),
    721: RasError(
        "ERROR_PPP_NO_RESPONSE",
        "the remote PPP peer is not responding",
        "TCP port 1723 works and no GRE comes; Windows XP's number for what is 806 or 619 today",
        (NAT_HELPER, FIREWALL_GRE, SERVER_GRE),
        f"let GRE pass on the way; {ASK}",
    ),
    732: RasError(
        "ERROR_PPP_NOT_CONVERGING",
        "the PPP negotiation does not converge",
        "both ends insisted on something the other does not take",
        (METHODS, "one insists on an encryption the other has not"),
        "openpptp doctor HOST --user NAME shows what the server insists on",
    ),
    733: RasError(
        "ERROR_PPP_CP_REJECTED",
        "the server has not the control protocol for a network protocol",
        "the server refused IPCP or IPv6CP; for IPv6 that is harmless",
        ("the server gives no IPv4 addresses", "the connection asks for IPv6 only"),
        "switch IPv4 on in the connection's settings, and give the server a pool",
    ),
    734: RasError(
        "ERROR_PPP_LCP_TERMINATED",
        "the PPP link control protocol was terminated",
        "the server ended the link (Terminate-Request) before or after the log-in",
        (
            "encryption: one side requires it, the other has none, or has other key lengths",
            METHODS,
            "the connection asks for multilink or callback, and the server does not bear it",
        ),
        "set the connection to Require encryption and MS-CHAPv2; openpptp doctor HOST --user NAME shows the other side",
    ),
    736: RasError(
        "ERROR_PPP_NCP_TERMINATED",
        "the remote computer ended the control protocol",
        "the server ended IPCP or CCP after the log-in",
        ("it has no address for the client", "it found no encryption both allow"),
        "openpptp doctor HOST --user NAME, and the server's log",
    ),
    738: RasError(
        "ERROR_PPP_NO_ADDRESS_ASSIGNED",
        "the server did not assign an address",
        "logged in, and the server named no address (IPCP)",
        ("its pool is empty", "the account has a fixed address that is taken"),
        "enlarge the pool, or correct the account on the server",
    ),
    741: RasError(
        "ERROR_NO_LOCAL_ENCRYPTION",
        "the local computer does not support the encryption",
        "the server requires an MPPE key length that the connection does not allow",
        (
            "the connection is set to no encryption, or the server to 40 or 56 bit, which Windows since Vista has not",
            "the authentication method makes no keys (PAP, CHAP-MD5), and without keys there is no MPPE",
        ),
        "set the connection to Require or Maximum encryption and MS-CHAPv2; set the server to MPPE 128 bit",
    ),
    742: RasError(
        "ERROR_NO_REMOTE_ENCRYPTION",
        "the remote server does not support the encryption",
        "the client requires MPPE, and the server offers none, or 40 bit only where 128 are required",
        (
            "the server's encryption is switched off or too weak (pppd: require-mppe-128; RouterOS: use-encryption)",
            "the server authenticated by PAP or CHAP-MD5, which make no keys",
            "the server's kernel has no MPPE (pppd needs the module ppp_mppe)",
        ),
        "switch on MPPE 128 bit on the server; openpptp doctor HOST --user NAME shows what it offers",
    ),
    778: RasError(
        "ERROR_UNABLE_TO_AUTHENTICATE_SERVER",
        "the identity of the server could not be verified",
        "the server's MS-CHAPv2 Success did not prove that it knows the password (S=)",
        (
            "the server asks a RADIUS server with a wrong shared secret, or one that leaves the proof out",
            "the server has another password for that name than the client",
            "somebody in between pretends to be the server",
        ),
        "check the RADIUS secret on the server; do not go on before the reason is known",
    ),
    789: RasError(
        "ERROR_OAKLEY_GENERAL_PROCESSING",
        "the L2TP connection failed in the security layer's first negotiation",
        L2TP,
        (
            "the connection's type is Automatic or L2TP, and PPTP was meant",
            "L2TP was meant: pre-shared key or certificate do not match",
        ),
        f"{SET_PPTP}; 786 to 793 are L2TP as well",
    ),
    800: RasError(
        "ERROR_AUTOMATIC_VPN_FAILED",
        "the VPN connection could not be established",
        "no TCP connection to port 1723, or a connection of type Automatic that tried all it has",
        (
            "the server's name or address is wrong, or it is down",
            "a firewall drops TCP port 1723, or a router does not pass it on to the server",
            "the type Automatic hides the true reason",
        ),
        f"{SET_PPTP}, which brings the true number; {ASK}",
    ),
    806: RasError(
        "ERROR_VPN_GRE_BLOCKED",
        "a connection was started and cannot be completed; most often GRE is not let through",
        "the control connection on TCP port 1723 works, and no GRE comes back",
        (NAT_HELPER, SERVER_GRE, FIREWALL_GRE, "the provider carries no GRE: mobile networks, carriers' NAT"),
        f"let GRE pass on the way; {ASK}",
    ),
    807: RasError(
        "ERROR_VPN_DISCONNECT",
        "the connection to the VPN server was interrupted; it may be full",
        "the TCP connection to port 1723 was not opened or was cut",
        (
            "the server has no free call, or takes nobody from this address, and hangs up",
            "a firewall or router cuts the connection to TCP port 1723",
            "the network is bad",
        ),
        f"see the server's limit of connections; {ASK}",
    ),
    808: RasError(
        "ERROR_VPN_REFUSED",
        "the remote server refused the connection",
        "TCP port 1723 is closed",
        ("no PPTP server runs there, or on another port", "a router passes the port on to nobody"),
        "start the server (on it: openpptp doctor), and check what the router passes on",
    ),
    809: RasError(
        "ERROR_VPN_TIMEOUT",
        "the remote server does not respond; a firewall or NAT may not let VPN connections pass",
        "seldom PPTP: mostly L2TP or IKEv2, whose UDP ports 500 and 4500 get no answer",
        (
            "the connection's type is L2TP, IKEv2 or Automatic, and PPTP was meant",
            "where it is PPTP: nothing answers on TCP port 1723",
        ),
        f"{SET_PPTP}; {ASK}",
    ),
    812: RasError(
        "ERROR_SERVER_POLICY",
        "a policy of the server prevented the connection, as an authentication method that does not match",
        "a Windows server refused by policy (NPS); the password may well have been right",
        (
            METHODS,
            "the network policy wants a group, an hour or a type of connection that does not match",
            "the account's dial-in permission is denied",
        ),
        "see the NPS events of the server (6273) for the policy and the reason; allow MS-CHAPv2 there",
    ),
    868: RasError(
        "ERROR_DNSNAME_NOT_RESOLVABLE",
        "the name of the server did not resolve",
        "nothing was sent: the name has no address",
        ("the name is misspelt", "DNS does not work here", "the name exists inside the company's network only"),
        "nslookup NAME on the client; an address in place of the name tells the two apart",
    ),
    919: RasError(
        "ERROR_PEER_REFUSED_AUTH",
        "the other side refused to prove itself by the method that was configured",
        "LCP ended with it: one end demanded an authentication method and the other rejected it",
        (
            METHODS,
            "the server insists on EAP, and the client has none",
            "the client is set to no authentication at all",
        ),
        "allow MS-CHAPv2 on both sides; openpptp doctor HOST lists what the server takes",
    ),
}
