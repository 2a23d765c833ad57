"""The kill switch: nothing but the tunnel and its carrier leaves, whoever dies, as a capture on the cable sees it."""

import json
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.netns.namespace import Namespace, join
from tests.netns.programs import (
    CLIENT_DEVICE,
    OPENPPTP,
    Counter,
    Program,
    capturing,
    connecting,
    serving,
    start,
    start_client,
    start_server,
    state,
)
from tests.netns.topology import Topology

pytestmark = pytest.mark.root

SERVER, WORLD = str(Topology.SERVER), str(Topology.WORLD)
NEIGHBOUR = "192.168.100.1"
WORLD6, BOX6 = "2001:db8:2::10", "2001:db8:1::1"
IMPATIENT = ("--echo-interval", "0.3", "--echo-failures", "2")
SWITCH = ("--kill-switch", "--default-route", *IMPATIENT)
RECORD = "run/openpptp-client/kill-switch.json"
TALKER = Path(__file__).with_name("talker.py")
ALLOWED = (
    f"(host {SERVER} and (tcp port 1723 or proto 47)) or arp or (icmp6 and (ip6[40] >= 133 and ip6[40] <= 136)) "
    "or (ip6 proto 0)"  # hop-by-hop: multicast listener reports
)
KINDS = {
    "TCP": f"tcp and dst {WORLD}",
    "UDP": f"udp port 9999 and dst {WORLD}",
    "DNS": "udp port 53",
    "ping": f"icmp and src 192.168.100.2 and dst {WORLD}",
    "IPv6": f"ip6 and udp and dst {WORLD6}",
    "ping of IPv6": f"icmp6 and dst {WORLD6}",
    "another machine's": f"icmp and src 172.31.0.2 and dst {WORLD}",
    "a neighbour's": f"udp port 9999 and dst {NEIGHBOUR}",
}


@pytest.fixture
def talking(topology: Topology, make_namespace: Callable[[str], Namespace]) -> Topology:
    """Return the topology, with IPv6 outside and a machine behind the client; programs on both never fall silent."""
    client, guest = topology.client, make_namespace("guest")
    join(client, "172.31.0.1/24", guest, "172.31.0.2/24")
    guest.ip("route add default via 172.31.0.1")
    client.sysctl("net/ipv4/ip_forward", "1")
    for namespace, device, address in ((client, "nat0", "2001:db8:1::2"), (topology.nat, "client0", BOX6)):
        namespace.sysctl(f"net/ipv6/conf/{device}/disable_ipv6", "0")
        namespace.sysctl(f"net/ipv6/conf/{device}/keep_addr_on_down", "1")
        namespace.ip(f"addr add {address}/64 dev {device} nodad")
    client.ip(f"route add default via {BOX6}")
    for namespace in (client, guest):
        namespace.start(sys.executable, str(TALKER), WORLD, NEIGHBOUR, WORLD6)
    return topology


def watching(topology: Topology, file: Path) -> AbstractContextManager[None]:
    """Record what is on the client's cable, each packet at once."""
    return capturing(topology.nat, "client0", file, "--immediate-mode")


def seen(namespace: Namespace, file: Path, expression: str) -> list[str]:
    """Return what of a capture an expression of tcpdump picks, a line each."""
    return namespace.run("tcpdump", "-n", "-r", str(file), expression).stdout.splitlines()


def leaks(topology: Topology, file: Path, *, allowed: str = ALLOWED) -> list[str]:
    """Return what the client sent besides what is allowed; the NAT box's own answers are none of it."""
    address = json.loads(topology.client.run("ip", "-j", "link", "show", "nat0").stdout)[0]["address"]
    return seen(topology.nat, file, f"ether src {address} and not ({allowed})")


def release(topology: Topology, folder: Path, *names: str) -> Program:
    return start(topology.client, folder, *OPENPPTP, "connect", "--release", *names, name="release")


def table(topology: Topology) -> str:
    return topology.client.ruleset()


class LeakTests:
    """0 packets outside the tunnel."""

    def test_nothing_leaks_while_server_carrier_and_client_die_in_turn(self, talking, tmp_path):
        topology, client, folder = talking, talking.client, tmp_path / "client"
        before = tmp_path / "before.pcap"
        with watching(topology, before):
            assert eventually(lambda: all(seen(topology.nat, before, each) for each in KINDS.values()))
        after, lifted = tmp_path / "after.pcap", tmp_path / "lifted.pcap"
        server = start_server(topology.server, tmp_path / "server")
        server.says("serving")
        victim = start_client(client, folder, *SWITCH, once=False)
        victim.says("kill switch on")
        with watching(topology, after):
            victim.connected()
            assert client.ping(WORLD)
            server.kill()
            victim.says("tunnel down", "refuses TCP port 1723")
            with serving(topology.server, tmp_path / "server"):
                victim.says("] connected ", times=2)
                cut = Counter(topology.nat, f"ip daddr {SERVER}", verdict="drop")
                victim.says("tunnel down", times=2)
                cut.remove()
                victim.says("] connected ", times=3)
                client.ip("link set nat0 down")
                client.ip("link set nat0 up")
                client.ip(f"route add default via {NEIGHBOUR}")
                client.ip(f"route add default via {BOX6}")
                assert eventually(lambda: client.ping(WORLD, wait=0.5))
                victim.kill()
                assert eventually(lambda: CLIENT_DEVICE not in state(client)["devices"])
                assert not client.ping(WORLD, wait=0.5)
                with connecting(client, folder, *SWITCH, once=False) as second:
                    second.connected()
                    assert client.ping(WORLD)
                    assert not leaks(topology, after)
                    assert second.stop() == 0
        with watching(topology, lifted):
            assert eventually(lambda: all(seen(topology.nat, lifted, each) for each in KINDS.values()))
        assert "openpptp-kill-switch" not in table(topology)
        assert not (folder / RECORD).exists()
        assert seen(topology.nat, after, f"proto 47 and dst {SERVER}"), "the capture saw nothing at all"

    def test_a_rule_of_others_that_leads_packets_elsewhere_leaks_nothing(self, talking, tmp_path):
        """Routed anew by a mark after the first look, a packet meets the second."""
        client, file = talking.client, tmp_path / "after.pcap"
        client.ip("rule add fwmark 7 lookup 7")
        client.ip(f"route add default via {NEIGHBOUR} table 7")
        client.nft(
            f"table ip others {{\n chain c {{\n type route hook output priority mangle;\n"
            f" ip daddr {WORLD} meta mark set 7\n }}\n}}\n"
        )
        with (
            serving(talking.server, tmp_path / "server"),
            connecting(client, tmp_path / "client", *SWITCH) as tunnel,
        ):
            tunnel.connected()
            with watching(talking, file):
                assert not client.ping(WORLD, count=5, wait=0.5)
            assert not leaks(talking, file)

    def test_local_networks_are_reached_if_asked_for_but_their_name_servers_are_not(self, talking, tmp_path):
        client, file = talking.client, tmp_path / "after.pcap"
        flags = ("--kill-switch-lan", "--route", "172.31.9.0/24", "--route", f"{WORLD}/32")
        with serving(talking.server, tmp_path / "server"):
            tunnel = start_client(client, tmp_path / "client", *flags)
            tunnel.connected()
            assert client.ping(NEIGHBOUR)
            tunnel.kill()
        with watching(talking, file):
            assert client.ping(NEIGHBOUR)
            assert not client.ping("172.31.9.1", wait=0.5), "it is to be reached through the tunnel or not at all"
            client.run(sys.executable, str(TALKER), NEIGHBOUR, NEIGHBOUR, WORLD6, "--once")
        assert seen(talking.nat, file, f"udp port 9999 and dst {NEIGHBOUR}")
        assert not leaks(talking, file, allowed=f"{ALLOWED} or (dst {NEIGHBOUR} and not port 53)")


class LifeTests:
    """Who puts it up, who takes it over, who takes it away."""

    def test_an_end_that_nobody_asked_for_keeps_it_and_says_how_to_lift_it(self, topology, tmp_path):
        folder = tmp_path / "client"
        with serving(topology.server, tmp_path / "server"):
            client = start_client(topology.client, folder, "--kill-switch", password="wrong")
            assert client.exit_code() == 1
        assert "the kill switch stays" in client.log()
        assert not topology.client.ping(SERVER, wait=0.5)
        assert release(topology, folder, "office").exit_code() == 1
        lifting = release(topology, folder)
        assert lifting.exit_code() == 0
        assert lifting.log() == f"the kill switch of {CLIENT_DEVICE} is lifted\n"
        assert topology.client.ping(SERVER)
        assert table(topology) == ""
        again = release(topology, folder)
        assert (again.exit_code(), again.log()) == (0, "there is no kill switch\n")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_its_user_ends_it_and_it_is_lifted(self, topology, tmp_path, number):
        before = state(topology.client)
        with (
            serving(topology.server, tmp_path / "server"),
            connecting(topology.client, tmp_path / "client", *SWITCH) as tunnel,
        ):
            tunnel.connected()
            tunnel.process.send_signal(number)
            assert tunnel.exit_code() == 0
            assert "stays" not in tunnel.log()
        assert state(topology.client) == before

    def test_a_name_is_remembered_over_a_death(self, topology, tmp_path):
        (tmp_path / "hosts").write_text(f"{SERVER} vpn.example\n")
        mount = f"mount --bind {tmp_path}/hosts /etc/hosts;"
        with serving(topology.server, tmp_path / "server"):
            victim = start_client(topology.client, tmp_path / "client", *SWITCH, host="vpn.example", before=mount)
            victim.connected()
            victim.kill()
            with connecting(topology.client, tmp_path / "client", *SWITCH, host="vpn.example") as second:
                second.connected()
            stranger = start_client(topology.client, tmp_path / "client", *SWITCH, host="vpn.example", before=mount)
            stranger.connected()
            stranger.kill()
            lost = start_client(topology.client, tmp_path / "client", *SWITCH, host="other.example")
            assert lost.exit_code() == 1
            assert "no name is looked up while the kill switch holds" in lost.log()

    def test_another_tunnel_gets_none_of_its_own_beside_it(self, topology, tmp_path):
        folder = tmp_path / "client"
        with serving(topology.server, tmp_path / "server"):
            start_client(topology.client, folder, *SWITCH).says("kill switch on")
            other = start_client(topology.client, folder, *SWITCH, "--interface", "other", name="other")
            assert other.exit_code() == 1
            assert f"the kill switch of the tunnel {CLIENT_DEVICE} holds" in other.log()

    def test_rules_that_somebody_flushed_are_put_up_again_at_once(self, topology, tmp_path):
        client, folder = topology.client, tmp_path / "client"
        with (
            serving(topology.server, tmp_path / "server"),
            connecting(client, folder, *SWITCH, once=False) as tunnel,
        ):
            tunnel.connected()
            client.run("nft", "flush", "ruleset")
            assert eventually(lambda: "openpptp-kill-switch" in table(topology), seconds=3)
            tunnel.says("somebody has taken the kill switch's rules away")
            assert release(topology, folder).exit_code() == 0, "a person may, also while the client lives"
            assert client.ping(WORLD, count=10)
            assert table(topology) == ""
            assert tunnel.stop() == 0

    def test_status_shows_whose_it_is_and_how_to_lift_it(self, topology, tmp_path):
        folder = tmp_path / "client"
        with serving(topology.server, tmp_path / "server"):
            victim = start_client(topology.client, folder, *SWITCH)
            victim.connected()
            victim.kill()
        shown = start(topology.client, folder, *OPENPPTP, "status", name="status")
        assert shown.exit_code() == 0
        assert f"kill switch  of {CLIENT_DEVICE}, since " in shown.log()
        assert f"what carries it to {SERVER}; nothing else" in shown.log()
        assert "openpptp connect --release" in shown.log()
