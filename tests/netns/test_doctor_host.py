"""`openpptp doctor HOST`: what is wrong on the way or at the server is made so with real packets, and found.

P-24, S14: the verdict names which of TCP port 1723 and GRE is blocked, in which direction, and what to do.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.netns.fakes import answering, full_house, ssh, web
from tests.netns.namespace import Namespace
from tests.netns.programs import OPENPPTP, USER, Program, serving, start
from tests.netns.topology import Topology

pytestmark = pytest.mark.root

SERVER = str(Topology.SERVER)
STATEFUL = (
    "table ip wall { chain c { type filter hook input priority filter; policy drop; ct state established accept; }; }"
)
NO_ICMP = "table ip silence { chain out { type filter hook output priority 0; meta l4proto icmp drop; }; }"


def dropping(rule: str, *, hook: str = "forward", priority: str = "filter", verdict: str = "drop") -> str:
    return f"table ip wall {{ chain c {{ type filter hook {hook} priority {priority}; {rule} {verdict}; }}; }}"


def begin(namespace: Namespace, folder: Path, *flags: str, host: str = SERVER) -> Program:
    """Start the doctor in front of a server."""
    folder.mkdir(exist_ok=True)
    return start(namespace, folder, *OPENPPTP, "doctor", host, "--json", *flags, name="doctor")


def report_of(doctor: Program) -> dict[str, Any]:
    """Wait for the doctor; return its report, each step under its name."""
    code = doctor.exit_code(seconds=30)
    report = json.loads(doctor.log())
    assert code == (0 if report["works"] else 1), report
    return report | {"steps": {each["check"]: each for each in report["checks"]}}


def diagnosis(namespace: Namespace, folder: Path, *flags: str, host: str = SERVER) -> dict[str, Any]:
    return report_of(begin(namespace, folder / "doctor", *flags, host=host))


@dataclass
class Blocked:
    """A way that is blocked, and what the doctor made of it."""

    spoil: Callable[[Topology], None]
    helper: bool = True
    report: dict[str, Any] = field(default_factory=dict)


class BlockedTests:
    """Ways that are blocked in silence, where nothing but patience helps; all are looked at at once."""

    @pytest.fixture(scope="class")
    @classmethod
    def blocked(cls, namespaces_possible, tmp_path_factory) -> dict[str, Blocked]:
        found = {
            "port": Blocked(lambda top: top.nat.nft(dropping("tcp dport 1723"))),
            # Before connection tracking: what never was there leaves no trace in the NAT, as a provider's filter does.
            "out": Blocked(
                lambda top: top.nat.nft(
                    dropping('iifname "client0" meta l4proto gre', hook="prerouting", priority="raw")
                )
            ),
            "back": Blocked(lambda top: top.nat.nft(dropping('iifname "server0" meta l4proto gre'))),
            "both": Blocked(lambda top: top.nat.nft(dropping("meta l4proto gre"))),
            "helper": Blocked(lambda top: None, helper=False),
            "here": Blocked(lambda top: top.client.nft(STATEFUL)),
        }
        folder = tmp_path_factory.mktemp("blocked")
        with contextlib.ExitStack() as undo:
            running = []
            for name, each in found.items():
                topology = Topology(helper=each.helper)
                undo.callback(topology.close)
                each.spoil(topology)
                undo.enter_context(serving(topology.server, folder / name))
                running.append((each, begin(topology.client, folder / f"{name}-doctor")))
            for each, doctor in running:
                each.report = report_of(doctor)
        return found

    def test_the_port_is_filtered(self, blocked):
        report = blocked["port"].report
        assert (report["label"], report["certain"]) == ("port-filtered", False)
        assert "most likely a firewall drops it" in report["verdict"]

    def test_gre_is_dropped_on_the_way_out(self, blocked):
        report = blocked["out"].report
        assert (report["label"], report["certain"]) == ("gre-out", True)
        steps = report["steps"]
        assert (steps["GRE out"]["standing"], steps["GRE back"]["standing"]) == ("failed", "ok")
        assert "spoke by itself" in steps["GRE back"]["sentence"]

    def test_gre_is_dropped_on_the_way_back(self, blocked):
        report = blocked["back"].report
        assert (report["label"], report["certain"]) == ("gre-back", False)
        assert "most likely a firewall drops it on the way back" in report["verdict"]
        assert "it has a PPTP helper" in report["verdict"]
        assert report["steps"]["GRE back"]["standing"] == "failed"

    def test_gre_is_dropped_both_ways(self, blocked):
        report = blocked["both"].report
        assert report["label"] == "gre-both"
        assert "hung up after 10.5 s" in report["verdict"]

    def test_this_machines_own_firewall_drops_what_comes_back(self, blocked):
        """Connection tracking without its helper knows no answers in GRE."""
        report = blocked["here"].report
        assert (report["label"], report["certain"]) == ("gre-own-firewall", False)
        assert report["verdict"].startswith("most likely this machine's own firewall drops GRE")
        assert "nft insert rule ip wall c meta l4proto gre accept" in report["remedy"]

    def test_a_nat_without_the_helper(self, blocked):
        report = blocked["helper"].report
        assert (report["label"], report["certain"]) == ("nat-without-helper", False)
        assert "most likely a NAT between, which rewrites no Call IDs, has no PPTP helper" in report["verdict"]
        assert "192.168.100.1" in report["verdict"]
        assert "switch on PPTP passthrough" in report["remedy"]


class SpokenTests:
    """Something answers: the verdict is there at once."""

    def test_all_is_well_without_nat(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server"):
            host = str(Topology.SERVER_TO_WORLD)
            report = diagnosis(topology.world, tmp_path, "--user", USER, host=host)
        assert report["label"] == "well"
        assert report["verdict"] == f"all is well: {USER} can connect to {host}"
        assert {each["standing"] for each in report["checks"]} == {"ok"}
        assert report["steps"]["NAT"]["sentence"].startswith("none: ")

    def test_a_nat_with_the_helper(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server") as server:
            report = diagnosis(topology.client, tmp_path)
            assert "Traceback" not in server.log()
        assert report["label"] == "well"
        assert report["verdict"].endswith(", through a NAT with a PPTP helper")
        steps = report["steps"]
        assert "rewrites Call IDs" in steps["NAT"]["sentence"]
        assert steps["methods"]["sentence"] == "the server takes MS-CHAPv2; refuses MS-CHAPv1, CHAP-MD5, PAP, EAP"
        assert steps["two calls"]["standing"] == "ok"
        assert steps["encryption"]["standing"] == "unknown"

    def test_nobody_logs_in_and_nothing_is_left(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server") as server:
            before = topology.client.run("ip", "-4", "address").stdout, topology.client.ruleset()
            diagnosis(topology.client, tmp_path)
            assert (topology.client.run("ip", "-4", "address").stdout, topology.client.ruleset()) == before
            assert server.stop() == 0
        assert "user=" not in server.log()

    def test_the_port_is_closed(self, topology, tmp_path):
        report = diagnosis(topology.client, tmp_path)
        assert report["label"] == "port-closed"

    def test_the_port_is_refused_by_a_firewall_that_says_so(self, topology, tmp_path):
        topology.nat.nft(dropping("tcp dport 1723", verdict="reject with icmp type admin-prohibited"))
        report = diagnosis(topology.client, tmp_path)
        assert report["label"] == "port-refused-on-the-way"
        assert "192.168.100.1 says: administratively prohibited" in report["verdict"]

    def test_gre_is_refused_by_a_firewall_that_says_so(self, topology, tmp_path):
        topology.nat.nft(dropping("meta l4proto gre", verdict="reject with icmp type admin-prohibited"))
        with serving(topology.server, tmp_path / "server"):
            report = diagnosis(topology.client, tmp_path)
        assert (report["label"], report["certain"]) == ("gre-refused", True)
        assert report["verdict"].startswith("192.168.100.1 refuses our GRE")

    def test_this_machines_own_firewall_keeps_gre_back(self, topology, tmp_path):
        topology.client.nft(dropping("meta l4proto gre", hook="output"))
        with serving(topology.server, tmp_path / "server"):
            report = diagnosis(topology.client, tmp_path)
        assert report["label"] == "gre-kept-back"

    @pytest.mark.parametrize(("talk", "name"), [(ssh, "an SSH server"), (web, "a web server (HTTP)")])
    def test_another_service_on_the_port(self, topology, tmp_path, talk, name):
        with answering(topology.server, talk):
            report = diagnosis(topology.client, tmp_path)
        assert report["label"] == "wrong-service"
        assert report["verdict"] == f"{name} answers on TCP port 1723 of {SERVER}, not a PPTP server"

    def test_no_free_call(self, topology, tmp_path):
        with answering(topology.server, full_house):
            report = diagnosis(topology.client, tmp_path)
        assert report["label"] == "no-free-call"
        assert "it is busy" in report["verdict"]


class AccountTests:
    """What server and client do not agree on."""

    def test_pap_only(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server", auth={"methods": ["PAP"], "encryption": "off"}):
            report = diagnosis(topology.client, tmp_path)
        assert report["label"] == "methods"
        assert report["verdict"] == f"{SERVER} lets nobody in by MS-CHAPv2: it wants PAP only"
        assert "--allow-method PAP --encryption off" in report["remedy"]

    @pytest.mark.parametrize(
        ("auth", "said"),
        [
            ({"encryption": "off"}, "refuses encryption (MPPE)"),
            ({"key_bits": [40]}, "offers MPPE 40 bit only"),
        ],
    )
    def test_an_encryption_the_client_does_not_take(self, topology, tmp_path, auth, said):
        with serving(topology.server, tmp_path / "server", auth=auth):
            report = diagnosis(topology.client, tmp_path, "--user", USER)
        assert report["label"] == "encryption"
        assert report["verdict"] == f"{SERVER} lets {USER} in and {said}; our client requires MPPE 128 bit"

    def test_a_wrong_password(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server", auth={"refusal_delay": 0.1}):
            report = diagnosis(topology.client, tmp_path, "--user", "bob")
        assert report["label"] == "login-refused"
        assert "error 691" in report["verdict"]


class LengthTests:
    """Long packets, between 1,300 and the 1,440 octets a client sends."""

    NARROW = f"route change {Topology.INTERNET} dev server0 src {Topology.NAT} mtu lock 1300"

    @pytest.fixture
    def server(self, topology, tmp_path) -> Iterator[None]:
        with serving(topology.server, tmp_path / "server"):
            yield

    def test_a_black_hole(self, topology, tmp_path, server):
        topology.nat.ip("link set server0 mtu 1300")
        topology.nat.nft(NO_ICMP)
        report = diagnosis(topology.client, tmp_path)
        assert (report["label"], report["works"]) == ("mtu-black-hole", False)
        assert "without a word (a black hole)" in report["verdict"]
        mru = int(report["remedy"].split("set the MRU to ")[1].split()[0])
        assert 1240 <= mru <= 1260

    def test_a_black_hole_for_what_must_not_be_cut(self, topology, tmp_path, server):
        topology.nat.ip(self.NARROW)
        topology.nat.nft(NO_ICMP)
        report = diagnosis(topology.client, tmp_path)
        assert (report["label"], report["works"]) == ("mtu-pieces", True)

    def test_a_narrow_way_that_says_so_is_no_trouble(self, topology, tmp_path, server):
        topology.nat.ip(self.NARROW)
        report = diagnosis(topology.client, tmp_path)
        assert (report["label"], report["works"]) == ("well", True)
        said = "192.168.100.1 says that the way carries 1,300 octets; a client sends up to 1,440"
        assert report["steps"]["path MTU"]["sentence"] == said


class WithoutRootTests:
    """GRE cannot be seen; the rest can."""

    def test_the_control_connection_is_seen(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server"):
            folder = tmp_path / "doctor"
            folder.mkdir()
            as_nobody = ("setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")
            command = (*as_nobody, *OPENPPTP, "doctor", SERVER, "--json")
            report = report_of(start(topology.client, folder, *command, name="doctor"))
        assert (report["label"], report["works"], report["certain"]) == ("not-seen", True, False)
        assert report["steps"]["call"]["standing"] == "ok"
        assert "CAP_NET_RAW" in report["steps"]["GRE"]["sentence"]
