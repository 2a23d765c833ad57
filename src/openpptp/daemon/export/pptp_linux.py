"""Linux with pptp-linux and pppd alone: a peers file, and the line of the secrets file."""

import shlex

from openpptp.backends import secrets_words
from openpptp.credentials import AuthMethod
from openpptp.daemon.export import pppd
from openpptp.daemon.export.access import PLACEHOLDER, Access, Terms
from openpptp.daemon.export.recipe import Recipe, commands, comment, routing, weaknesses

CAN = pppd.abilities("pptp-linux")
OPTIONS = ("noauth", "noipdefault", "nobsdcomp", "nodeflate", "novj", "novjccomp")
"noauth overrides Debian's /etc/ppp/options: a PPTP server does not log in at its clients."


def recipe(access: Access) -> Recipe:
    """Return the peers file, and what does the same without one."""
    terms = access.terms(CAN)
    secrets = "/etc/ppp/pap-secrets" if terms.method is AuthMethod.PAP else "/etc/ppp/chap-secrets"
    line = f'{quote(access.user)} {quote(access.name)} "{PLACEHOLDER}" *'
    secret = f"printf '%s\\n' {shlex.quote(line)} | sudo tee -a {secrets} >/dev/null"
    path = f"/etc/ppp/peers/{access.name}"
    alone = [secret] if access.password is None else []
    head = comment(
        f"PPTP to {access.address} by pptp-linux and pppd (packages pptp-linux and ppp). Set up:",
        *commands([f"sudo install -m 600 FILE {path}", *alone]),
        "Connect and hang up:",
        *commands([f"sudo pppd call {access.name} updetach", f"sudo pkill -HUP -F /run/ppp-{access.name}.pid"]),
        f"Remove: delete {path}{' and the line in ' + secrets if alone else ''}.",
        *weaknesses(terms),
        routing(access, "Through the tunnel goes what is for its other end; --route and --default-route send more."),
        *_routes(access),
    )
    call = _options(access, terms)
    paste = (secret, shlex.join(["sudo", "pppd", *(word for line in call for word in line), "nodetach"]))
    lines = list(call)
    if access.password is not None:
        lines += [["hide-password"], ["password", access.password]]
    return Recipe(paste, head + "".join(f"{' '.join(map(quote, line))}\n" for line in lines), path)


def quote(word: str) -> str:
    """Return a word as pppd reads it back."""
    return secrets_words.quote(word).decode()


def _options(access: Access, terms: Terms) -> list[list[str]]:
    return [
        ["pty", f"pptp {access.address} --nolaunchpppd"],
        ["user", access.user],
        ["remotename", access.name],
        ["linkname", access.name],
        *([["defaultroute"], ["replacedefaultroute"]] if access.default_route else []),
        *([option] for option in (*OPTIONS, *pppd.demands(terms))),
    ]


def _routes(access: Access) -> tuple[str, ...]:
    """Say how to reach what pppd itself leads nothing to."""
    if access.default_route:
        return (
            "replacedefaultroute is known to the pppd of Debian and Ubuntu; elsewhere take that line out, and the old",
            "default route away once the tunnel is up.",
        )
    if access.routes:
        device = f"$(sed -n 2p /run/ppp-{access.name}.pid)"
        ways = (f"sudo ip route add {route} dev {device}" for route in access.routes)
        return ("These are set once it is connected:", *commands(ways))
    return ()
