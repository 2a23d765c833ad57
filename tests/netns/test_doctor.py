"""`openpptp doctor` beside a server in a namespace: each piece is broken by hand, and the right line says so."""

import json
import sys
from pathlib import Path

import pytest
from tests.netns.namespace import Namespace
from tests.netns.programs import OPENPPTP, SERVER_DEVICE, serving, start, write_settings

pytestmark = pytest.mark.root

ROOT = {"user": "root"}
"Which users a machine has is not for these tests to say."
LISTENER = """
import socket, sys, time
with socket.create_server(("0.0.0.0", 1723)):
    print("listening", flush=True)
    time.sleep(60)
"""


def doctor(namespace: Namespace, folder: Path, *options: str) -> tuple[int, str]:
    """Run the doctor; return its exit code and what it said."""
    command = (*OPENPPTP, "doctor", "--config", str(folder / "openpptp.toml"), *options)
    run = start(namespace, folder, *command, name="doctor")
    code = run.exit_code()
    return code, run.log()


def diagnosis(namespace: Namespace, folder: Path) -> dict[str, tuple[str, str, str]]:
    """Return what is missing or overridden, by its check: standing, sentence and remedy."""
    code, said = doctor(namespace, folder, "--json")
    report = json.loads(said)
    troubles = [each for each in report["checks"] if each["standing"] in {"missing", "overridden"}]
    assert (code, report["well"]) == ((1, False) if troubles else (0, True)), said
    return {each["check"]: (each["standing"], each["sentence"], each["remedy"]) for each in troubles}


class WholeTests:
    """Nothing is wrong."""

    def test_a_running_server(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server", server=ROOT) as server:
            code, said = doctor(topology.server, tmp_path / "server")
            assert code == 0, said
            *checks, empty, verdict = said.splitlines()
            assert all(line.startswith("ok ") for line in checks), said
            assert (empty, verdict) == ("", f"this server is whole: all {len(checks)} checks are well")
            assert server.stop() == 0

    def test_users_of_the_store_are_counted_too(self, topology, tmp_path):
        folder = tmp_path / "server"
        with serving(topology.server, folder, server=ROOT, users={"store": str(folder / "lib" / "users.sqlite")}):
            add = (*OPENPPTP, "user", "add", "carol", "--store", "--config", str(folder / "openpptp.toml"))
            assert start(topology.server, folder, *add, name="add").exit_code() == 0
            _, said = doctor(topology.server, folder)
            assert f"3 in {folder}/lib/users.sqlite and {folder}/chap-secrets" in said

    def test_it_changes_nothing(self, topology, tmp_path):
        folder = tmp_path / "server"
        with serving(topology.server, folder, server=ROOT):
            before = (folder / "run" / "openpptp" / "undo.json").read_text(), topology.server.ruleset()
            doctor(topology.server, folder)
            assert ((folder / "run" / "openpptp" / "undo.json").read_text(), topology.server.ruleset()) == before


class BrokenTests:
    """One piece at a time."""

    @pytest.fixture
    def server(self, topology, tmp_path):
        """Return the namespace of a running server, and its folder."""
        folder = tmp_path / "server"
        with serving(topology.server, folder, server=ROOT):
            yield topology.server, folder

    def test_each_piece_by_hand(self, server):
        namespace, folder = server
        assert diagnosis(namespace, folder) == {}
        namespace.run("nft", "delete", "table", "inet", f"openpptp_{SERVER_DEVICE}")
        namespace.sysctl("net/ipv4/ip_forward", "0")
        namespace.ip(f"route del 10.91.9.0/24 dev {SERVER_DEVICE}")
        found = diagnosis(namespace, folder)
        assert {check: standing for check, (standing, _, _) in found.items()} == {
            "routes": "missing",
            "IPv4 forwarding": "overridden",
            "firewall table": "missing",
        }
        assert all(remedy for _, _, remedy in found.values())

    def test_a_table_that_was_changed(self, server):
        namespace, folder = server
        namespace.run("nft", "flush", "table", "inet", f"openpptp_{SERVER_DEVICE}")
        (found,) = diagnosis(namespace, folder).values()
        assert found[0] == "overridden"

    def test_a_device_that_is_down_with_another_mtu(self, server):
        namespace, folder = server
        namespace.ip(f"link set {SERVER_DEVICE} mtu 1000")
        assert "MTU" in diagnosis(namespace, folder)["tunnel device"][1]
        namespace.ip(f"link set {SERVER_DEVICE} down")
        assert diagnosis(namespace, folder)["tunnel device"][0] == "overridden"

    def test_a_route_that_leads_elsewhere_and_the_strict_filter(self, server):
        namespace, folder = server
        namespace.ip("route add 10.91.9.0/25 dev world0")
        namespace.sysctl("net/ipv4/conf/all/rp_filter", "1")
        found = diagnosis(namespace, folder)
        assert found["routes"][0] == found["rp_filter"][0] == "overridden"
        assert "world0" in found["routes"][1]
        assert "dropped" in found["rp_filter"][1]

    def test_a_foreign_firewall(self, server):
        namespace, folder = server
        namespace.nft(
            "table ip filter {\n chain FORWARD {\n type filter hook forward priority 0; policy drop;\n }\n}\n"
        )
        found = diagnosis(namespace, folder)
        assert list(found) == ["firewalls of others"]
        assert "iptables drops what clients send" in found["firewalls of others"][1]

    def test_no_users_and_a_broken_line(self, server):
        namespace, folder = server
        (folder / "chap-secrets").write_text("")
        assert "there are none in" in diagnosis(namespace, folder)["users"][1]
        (folder / "chap-secrets").write_text('"alice * secret *\n')
        assert "chap-secrets" in diagnosis(namespace, folder)["users"][1]


class StaysRootTests:
    """The machine has no user for the server."""

    def test_it_is_told(self, topology, tmp_path):
        folder = tmp_path / "server"
        with serving(topology.server, folder, server={"user": "nobody-of-ours"}):
            assert list(diagnosis(topology.server, folder)) == ["own user"]


class WithoutServerTests:
    """What is in the way of a start."""

    def test_another_program_on_the_port(self, topology, tmp_path):
        folder = tmp_path / "server"
        folder.mkdir()
        write_settings(folder)
        other = start(topology.server, folder, sys.executable, "-c", LISTENER, name="other")
        other.says("listening")
        standing, sentence, remedy = diagnosis(topology.server, folder)["TCP port 1723"]
        assert standing == "overridden"
        assert f"(process {other.process.pid}) has it" in sentence
        assert f"stop process {other.process.pid}" in remedy

    def test_a_killed_servers_leftovers(self, topology, tmp_path):
        folder = tmp_path / "server"
        with serving(topology.server, folder, server=ROOT) as server:
            server.kill()
            found = diagnosis(topology.server, folder)
            assert list(found) == ["server", "left over"]
            assert "service remove" in found["left over"][2]

    def test_settings_that_are_wrong_come_first(self, topology, tmp_path):
        (tmp_path / "openpptp.toml").write_text("[network]\npool = 7\n")
        code, said = doctor(topology.server, tmp_path)
        assert code == 1
        assert "begin with settings" in said.splitlines()[-1]

    def test_nothing_runs(self, topology, tmp_path):
        write_settings(tmp_path)
        found = diagnosis(topology.server, tmp_path)
        assert list(found) == ["server"]
        assert "sudo openpptp serve --config" in found["server"][2]
