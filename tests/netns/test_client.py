"""Our client over a day: cuts, restarts, other networks; several servers; what it changes on its host and puts back."""

import json
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.netns.namespace import Namespace
from tests.netns.programs import (
    CLIENT_DEVICE,
    WORLD_NETWORK,
    Counter,
    connecting,
    serving,
    start_client,
    start_server,
    state,
)
from tests.netns.target import ask, octets, target
from tests.netns.topology import Topology

pytestmark = pytest.mark.root

SERVER, WORLD = str(Topology.SERVER), str(Topology.WORLD)
TO_WORLD = ("--route", WORLD_NETWORK)
IMPATIENT = ("--echo-interval", "0.3", "--echo-failures", "2")
LIVELY = {"echo_interval": 0.3, "echo_failures": 2}
BEFORE = "nameserver 192.0.2.53\nsearch example.net\noptions edns0\n"


def device(client: Namespace) -> str:
    """Return what must not change while a tunnel is down: the device with its number and address."""
    return (
        client.run("ip", "-br", "-4", "addr", "show", CLIENT_DEVICE).stdout
        + client.run("cat", f"/sys/class/net/{CLIENT_DEVICE}/ifindex").stdout
    )


def status(folder: Path) -> dict[str, object]:
    """Return what the client below this folder wrote down for `openpptp status`."""
    return json.loads((folder / "run/openpptp-client" / CLIENT_DEVICE / "state.json").read_text())


def way(client: Namespace, to: str = WORLD) -> str:
    return client.run("ip", "route", "get", to, check=False).stdout


class StayingUpTests:
    """Once up it stays up, until its user ends it."""

    def test_a_cut_of_five_seconds_needs_no_new_log_in(self, topology, tmp_path):
        client = topology.client
        with (
            serving(topology.server, tmp_path / "server") as server,
            connecting(client, tmp_path / "client", *TO_WORLD, once=False) as tunnel,
        ):
            tunnel.connected()
            assert client.ping(WORLD)
            topology.nat.ip("link set client0 down")
            assert not any(client.ping(WORLD, wait=1) for _ in range(5))
            topology.nat.ip("link set client0 up")
            assert eventually(lambda: client.ping(WORLD, wait=1))
            assert server.log().count("session up") == 1
            assert tunnel.log().count("] connected ") == 1
            assert tunnel.stop() == 0

    @pytest.mark.parametrize("how", ["stopped", "killed"])
    def test_after_a_restart_of_the_server_it_is_back_on_the_same_device(self, topology, tmp_path, how):
        client, before = topology.client, state(topology.client)
        first = start_server(topology.server, tmp_path / "server")
        first.says("serving")
        with connecting(client, tmp_path / "client", *TO_WORLD, once=False) as tunnel:
            tunnel.connected()
            then = device(client)
            first.stop() if how == "stopped" else first.kill()
            tunnel.says("tunnel down", "next attempt")
            assert eventually(lambda: status(tmp_path / "client")["state"] == "waiting")
            assert device(client) == then
            assert CLIENT_DEVICE in way(client), "what is for the tunnel is held, not sent another way"
            with serving(topology.server, tmp_path / "server"):
                tunnel.says("] connected ", times=2)
                assert device(client) == then
                assert client.ping(WORLD)
                assert (status(tmp_path / "client")["state"], status(tmp_path / "client")["sessions"]) == ("up", 2)
                assert tunnel.stop() == 0
        assert state(client) == before

    def test_a_server_that_is_silent_is_left_and_called_again(self, topology, tmp_path):
        client = topology.client
        with (
            serving(topology.server, tmp_path / "server"),
            connecting(client, tmp_path / "client", *TO_WORLD, *IMPATIENT, once=False) as tunnel,
        ):
            tunnel.connected()
            lost = Counter(topology.nat, "meta l4proto gre", verdict="drop")
            tunnel.says("left 2 Echo-Requests unanswered")
            lost.remove()
            tunnel.says("] connected ", times=2)
            assert client.ping(WORLD)

    def test_the_network_goes_and_comes_back(self, topology, tmp_path):
        """The device is switched off, so that every route goes; the tunnel comes back with the network."""
        client, before = topology.client, state(topology.client)
        with (
            serving(topology.server, tmp_path / "server", ppp=LIVELY),
            connecting(client, tmp_path / "client", "--default-route", *IMPATIENT, once=False) as tunnel,
        ):
            tunnel.connected()
            client.ip("link set nat0 down")
            tunnel.says("tunnel down", "next attempt")
            assert way(client, SERVER) == "", "the tunnel's own packets never enter the tunnel"
            client.ip("link set nat0 up")
            client.ip("route add default via 192.168.100.1")
            tunnel.says("] connected ", times=2)
            assert client.ping(WORLD)
            assert tunnel.stop() == 0
        assert state(client) == before

    def test_it_follows_when_its_own_address_goes(self, topology, tmp_path):
        """From one network to another, as a laptop that is carried about; no echo has to be waited for."""
        client = topology.client
        with (
            serving(topology.server, tmp_path / "server"),
            connecting(client, tmp_path / "client", "--default-route", once=False) as tunnel,
        ):
            tunnel.connected()
            client.sysctl("net/ipv4/conf/nat0/promote_secondaries", "1")
            client.ip("addr add 192.168.100.77/24 dev nat0")
            client.ip("addr del 192.168.100.2/24 dev nat0")
            client.ip("route replace default via 192.168.100.1")
            tunnel.says("192.168.100.2 is no longer an address of this machine")
            tunnel.says("] connected ", times=2)
            assert client.ping(WORLD)
            assert "192.168.100.77" in way(client, SERVER)

    def test_a_refused_password_ends_it_whatever_was_asked_for(self, topology, tmp_path):
        with serving(topology.server, tmp_path / "server") as server:
            client = start_client(topology.client, tmp_path / "client", "--keep-trying", password="wrong", once=False)
            assert client.exit_code() == 1
            assert "wrong user name or password" in client.log()
            assert server.log().count("log-in refused") == 1

    def test_with_keep_trying_it_waits_for_a_server_that_is_not_there_yet(self, topology, tmp_path):
        with connecting(topology.client, tmp_path / "client", "--keep-trying", once=False) as tunnel:
            tunnel.says("next attempt", "refuses TCP port 1723")
            with serving(topology.server, tmp_path / "server"):
                tunnel.connected()


class WhileDownTests:
    """What becomes of traffic while there is no tunnel."""

    def test_blocked_is_refused_at_once(self, topology, tmp_path):
        client, before = topology.client, state(topology.client)
        server = start_server(topology.server, tmp_path / "server")
        server.says("serving")
        with connecting(client, tmp_path / "client", *TO_WORLD, "--while-down", "block", once=False) as tunnel:
            tunnel.connected()
            server.stop()
            tunnel.says("next attempt")
            assert eventually(lambda: not way(client))
            assert "No route to host" in client.run("ping", "-c1", "-W1", WORLD, check=False).stderr
            with serving(topology.server, tmp_path / "server"):
                tunnel.says("] connected ", times=2)
                assert client.ping(WORLD)
                assert tunnel.stop() == 0
        assert state(client) == before

    def test_passed_goes_as_without_the_tunnel(self, topology, tmp_path):
        client = topology.client
        server = start_server(topology.server, tmp_path / "server")
        server.says("serving")
        with connecting(client, tmp_path / "client", "--default-route", "--while-down", "pass", once=False) as tunnel:
            tunnel.connected()
            assert CLIENT_DEVICE in way(client)
            server.stop()
            assert eventually(lambda: "dev nat0" in way(client))
            with serving(topology.server, tmp_path / "server"):
                tunnel.says("] connected ", times=2)
                assert CLIENT_DEVICE in way(client)


class ServersTests:
    """Several servers, tried in turn."""

    def test_one_that_refuses_and_one_that_is_silent_are_passed_over(self, topology, tmp_path):
        Counter(topology.server, "ip daddr 203.0.113.77 tcp dport 1723", verdict="drop")
        topology.server.ip("addr add 203.0.113.77/24 dev nat0")
        hosts = f"203.0.113.2 203.0.113.77 {SERVER}"
        with (
            serving(topology.server, tmp_path / "server"),
            connecting(topology.client, tmp_path / "client", "--timeout", "1", host=hosts) as tunnel,
        ):
            tunnel.connected()
            assert status(tmp_path / "client")["server"] == SERVER

    def test_all_addresses_of_a_name_are_tried(self, topology, tmp_path):
        (tmp_path / "hosts").write_text(f"203.0.113.2 vpn.example\n{SERVER} vpn.example\n")
        mount = f"mount --bind {tmp_path}/hosts /etc/hosts;"
        with (
            serving(topology.server, tmp_path / "server"),
            connecting(topology.client, tmp_path / "client", host="vpn.example", before=mount) as tunnel,
        ):
            tunnel.connected()
            assert status(tmp_path / "client")["server"] == SERVER

    def test_when_none_answers_each_is_named(self, topology, tmp_path):
        client = start_client(topology.client, tmp_path / "client", host=f"203.0.113.2 {SERVER}")
        assert client.exit_code() == 1
        assert "203.0.113.2 refuses TCP port 1723" in client.log()
        assert f"{SERVER} refuses TCP port 1723" in client.log()


class PathMtuTests:
    """Q-48: what the way to the server carries in one piece, less 40 octets, less MPPE's 4."""

    @pytest.mark.parametrize(("outer", "inner"), [(1500, 1396), (1492, 1396), (1400, 1356)])
    def test_the_tunnel_fits_into_the_device_below(self, topology, tmp_path, outer, inner):
        client = topology.client
        client.ip(f"link set nat0 mtu {outer}")
        topology.nat.ip(f"link set client0 mtu {outer}")
        pieces = Counter(topology.client, "ip frag-off & 0x3fff != 0")
        with (
            serving(topology.server, tmp_path / "server"),
            target(topology.world, WORLD),
            connecting(client, tmp_path / "client", *TO_WORLD) as tunnel,
        ):
            tunnel.says(f" mtu={inner}")
            assert client.ping(WORLD, size=inner - 28)
            assert ask(client, WORLD, "/octets/200000") == octets(200_000)
            assert status(tmp_path / "client")["carrier"] == {
                "device": "nat0",
                "gateway": "192.168.100.1",
                "mtu": outer,
            }
            assert pieces.count == 0


class NameserverTests:
    """The file /etc/resolv.conf, where this host has neither systemd-resolved nor resolvconf."""

    def mounted(self, tmp_path: Path) -> tuple[Path, str]:
        """Return a file of its own for the client, and the shell that puts it in the place of /etc/resolv.conf."""
        etc = tmp_path / "etc"
        etc.mkdir()
        for name in ("passwd", "group", "nsswitch.conf", "hosts"):
            (etc / name).write_bytes(Path("/etc", name).read_bytes())
        file = etc / "resolv.conf"
        file.write_text(BEFORE)
        return file, f"mount --bind {etc} /etc;"

    def test_the_servers_own_are_asked_through_the_tunnel_and_no_more_afterwards(self, topology, tmp_path):
        client, before = topology.client, state(topology.client)
        file, mount = self.mounted(tmp_path)
        with serving(topology.server, tmp_path / "server", network={"dns": ["10.91.9.53", "9.9.9.9"]}):
            with connecting(client, tmp_path / "client", "--dns", before=mount) as tunnel:
                tunnel.connected()
                assert (
                    "nameserver 10.91.9.53\nnameserver 9.9.9.9\nsearch example.net\noptions edns0" in file.read_text()
                )
                assert CLIENT_DEVICE in way(client, "9.9.9.9")
                assert tunnel.stop() == 0
            assert file.read_text() == BEFORE
            assert sorted(each.name for each in file.parent.iterdir() if "resolv" in each.name) == ["resolv.conf"]
        assert state(client) == before

    def test_after_kill_9_the_next_start_repairs(self, topology, tmp_path):
        client, before = topology.client, state(topology.client)
        file, mount = self.mounted(tmp_path)
        flags = ("--dns", "10.91.9.1", "--search", "corp.example", "--default-route", "--mark", "1723")
        with serving(topology.server, tmp_path / "server"):
            victim = start_client(client, tmp_path / "client", *flags, before=mount)
            victim.connected()
            assert file.read_text().splitlines()[1:] == ["nameserver 10.91.9.1", "search corp.example"]
            victim.kill()
            assert file.read_text() != BEFORE, "a killed client cannot clear up"
            with connecting(client, tmp_path / "client", "--interface", "other", before=mount) as second:
                second.connected()
                assert file.read_text() == BEFORE
                assert second.stop() == 0
        assert state(client) == before

    def test_what_somebody_else_wrote_meanwhile_stays(self, topology, tmp_path):
        file, mount = self.mounted(tmp_path)
        with (
            serving(topology.server, tmp_path / "server"),
            connecting(topology.client, tmp_path / "client", "--dns", "10.91.9.1", before=mount) as tunnel,
        ):
            tunnel.connected()
            file.write_text("nameserver 192.0.2.99\n")
            assert tunnel.stop() == 0
        assert file.read_text() == "nameserver 192.0.2.99\n"


class PolicyRoutingTests:
    """--mark: the carrier is told apart by its mark, the tunnel's routes are in a table of their own."""

    def test_everything_but_the_carrier_and_the_hosts_own_networks_goes_through_the_tunnel(self, topology, tmp_path):
        client, before = topology.client, state(topology.client)
        with (
            serving(topology.server, tmp_path / "server"),
            target(topology.world, WORLD),
            connecting(client, tmp_path / "client", "--default-route", "--mark", "1723") as tunnel,
        ):
            tunnel.connected()
            assert f"dev {CLIENT_DEVICE} table 1723" in way(client)
            assert "dev nat0" in client.run("ip", "route", "get", WORLD, "mark", "1723").stdout
            assert "dev nat0" in way(client, "192.168.100.1")
            assert ask(client, WORLD, "/octets/200000") == octets(200_000)
            assert tunnel.stop() == 0
        assert state(client) == before


class Ipv6Tests:
    """Link-local IPv6 inside, where the server gives it."""

    def test_the_interface_has_the_agreed_address_and_no_other(self, topology, tmp_path):
        client = topology.client
        with (
            serving(topology.server, tmp_path / "server", ppp={"ipv6": True}),
            connecting(client, tmp_path / "client", "--ipv6") as tunnel,
        ):
            tunnel.connected()
            shown = client.run("ip", "-br", "-6", "addr", "show", CLIENT_DEVICE).stdout.split()[2:]
            assert shown == [f"{status(tmp_path / 'client')['ipv6']}/64"]


class DomainTests:
    r"""Q-51: DOMAIN\user; the hash is of the name alone."""

    def test_a_name_with_its_domain_is_let_in(self, topology, tmp_path):
        with (
            serving(topology.server, tmp_path / "server") as server,
            connecting(topology.client, tmp_path / "client", user=r"EXAMPLE\alice") as tunnel,
        ):
            tunnel.connected()
            server.says("session up")
