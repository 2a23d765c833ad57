import socket
from ipaddress import IPv4Interface, IPv4Network, IPv6Address

import pytest
from tests.datapath.test_clamp import six, tcp
from tests.net.packets import ETHERNET_IPV6, kill_itself, powerless, segment_size, sniffer, syn, udp

from openpptp.errors import SetupError
from openpptp.net.firewall import Firewall, plan
from openpptp.net.journal import Journal
from openpptp.net.links import Links
from openpptp.net.tun import Tun

POOL = IPv4Network("10.88.0.0/24")
PLAN = plan(device="inside", pools=[POOL])
OTHERS = """
table ip nat { chain POSTROUTING { type nat hook postrouting priority srcnat; oifname "eth9" masquerade; }; }
table inet openpptp_of_another { chain c { type filter hook input priority 0; policy accept; }; }
table ip openpptp { chain c { ip saddr 192.0.2.1 drop; }; }
"""


class PlanTests:
    """The transaction in nft's notation."""

    def test_the_table_is_made_deleted_and_made_again(self):
        assert PLAN.splitlines()[:3] == [
            "add table inet openpptp",
            "delete table inet openpptp",
            "table inet openpptp {",
        ]
        assert PLAN.count("table inet") == 3

    def test_every_object_is_in_the_table_asked_for(self):
        text = plan(device="inside", pools=[POOL], table="mine")
        assert [line.split()[-1] for line in text.splitlines() if "table inet" in line] == ["mine", "mine", "{"]

    @pytest.mark.parametrize("options", [{"pools": [POOL], "masquerade": False}, {"pools": []}])
    def test_without_masquerade_only_the_segment_size_is_fitted(self, options):
        assert "masquerade" not in plan(device="inside", **options)
        assert "maxseg" in plan(device="inside", **options)


@pytest.mark.root
class ApplyTests:
    """One transaction, our table only."""

    def test_twice_is_the_same_as_once(self, alone):
        firewall = Firewall()
        firewall.apply(PLAN)
        once = alone.ruleset()
        firewall.apply(PLAN)
        assert alone.ruleset() == once
        assert firewall.verify()

    def test_what_stands_there_in_nftables_own_words(self, alone):
        Firewall().apply(plan(device="inside", pools=[POOL, IPv4Network("10.89.0.7/32")]))
        rules = " ".join(alone.ruleset().split())
        assert "elements = { 10.88.0.0/24, 10.89.0.7 }" in rules
        assert 'iifname "inside" tcp flags syn / syn,rst tcp option maxseg size set rt mtu' in rules
        assert 'oifname "inside" tcp flags syn / syn,rst tcp option maxseg size set rt mtu' in rules
        assert 'ip saddr @pool oifname != "inside" masquerade' in rules

    def test_pools_that_overlap_or_touch_are_one(self, alone):
        pools = [IPv4Network(each) for each in ("10.88.0.0/25", "10.88.0.128/25", "10.88.0.16/28")]
        Firewall().apply(plan(device="inside", pools=pools))
        assert "elements = { 10.88.0.0/24 }" in alone.ruleset()

    def test_undo_leaves_other_tables_untouched(self, alone):
        alone.nft(OTHERS)
        before = alone.ruleset()
        firewall = Firewall()
        firewall.apply(PLAN)
        assert alone.ruleset() != before
        assert firewall.undo() == []
        assert alone.ruleset() == before
        assert firewall.undo() == []

    def test_two_instances_with_tables_of_their_own(self, alone):
        one, other = Firewall(table="one"), Firewall(table="other")
        one.apply(plan(device="a", pools=[POOL], table="one"))
        other.apply(plan(device="b", pools=[], table="other"))
        assert one.verify()
        assert other.verify()
        one.undo()
        assert not one.verify()
        assert other.verify()

    def test_a_refused_plan_leaves_the_old_rules(self, alone):
        firewall = Firewall()
        firewall.apply(PLAN)
        before = alone.ruleset()
        broken = PLAN.replace("@pool", "@nowhere")
        with pytest.raises(SetupError, match="nft refused our rules"):
            firewall.apply(broken)
        assert alone.ruleset() == before
        assert firewall.verify()

    @pytest.mark.parametrize(
        "change",
        ["delete table inet openpptp", "add element inet openpptp pool { 10.1.1.1 }", "flush chain inet openpptp nat"],
    )
    def test_verify_sees_what_others_changed(self, alone, change):
        firewall = Firewall()
        assert not firewall.verify()
        firewall.apply(PLAN)
        assert firewall.verify()
        alone.nft(change)
        assert not firewall.verify()

    def test_b145_the_table_of_a_killed_process_is_replaced_or_taken_away(self, alone, tmp_path):
        alone.nft(OTHERS)
        before = alone.ruleset()
        script = (
            "from ipaddress import *\nfrom pathlib import Path\n"
            "from openpptp.net.firewall import Firewall, plan\nfrom openpptp.net.journal import Journal\n"
            f"journal = Journal(Path({str(tmp_path)!r}))\n"
            "Firewall(journal).apply(plan(device='old', pools=[IPv4Network('10.9.0.0/16')]))\n"
        )
        kill_itself(alone, script)
        journal = Journal(tmp_path)
        firewall = Firewall(journal)
        assert firewall.verify()
        firewall.apply(PLAN)
        assert '"old"' not in alone.ruleset()
        journal.close()
        kill_itself(alone, script)
        journal = Journal(tmp_path)
        assert Firewall(journal).undo() == []
        assert alone.ruleset() == before
        assert journal.entries("nftables") == []
        journal.close()


@pytest.fixture
def inside(topology):
    """The server's TUN device with a pool behind it, forwarding on, our rules in place."""
    topology.server.sysctl("net/ipv4/ip_forward", "1")
    with topology.server.inside():
        tun, links = Tun("inside"), Links()
        links.device_up("inside", address=IPv4Interface("10.88.0.1/24"), mtu=1400)
        links.close()
        Firewall().apply(PLAN)
    yield tun
    tun.close()


@pytest.mark.root
class PacketTests:
    """What the rules do to real packets."""

    def test_the_world_sees_the_server_and_the_answer_finds_the_client(self, topology, inside):
        with topology.world.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
            program.settimeout(5)
            program.bind((str(topology.WORLD), 7))
            inside.send(udp("10.88.0.9", str(topology.WORLD), 999, 7, b"question"))
            asked, whom = program.recvfrom(100)
            assert (asked, whom[0]) == (b"question", str(topology.SERVER_TO_WORLD))
            program.sendto(b"answer", whom)
        (answer,) = inside.receive()
        assert answer[16:20] == bytes([10, 88, 0, 9])
        assert answer.endswith(b"answer")

    def test_without_our_rules_the_world_sees_the_pool(self, topology, inside):
        with topology.server.inside():
            Firewall().undo()
        wire = sniffer(topology.world, "server0")
        inside.send(udp("10.88.0.9", str(topology.WORLD), 999, 7, b"question"))
        assert wire.recv(2000)[12:16] == bytes([10, 88, 0, 9])
        wire.close()

    def test_sources_outside_the_pool_are_not_masqueraded(self, topology, inside):
        wire = sniffer(topology.world, "server0")
        topology.server.ip("route add 10.99.0.0/16 dev inside")
        inside.send(udp("10.99.0.9", str(topology.WORLD), 999, 7, b"question"))
        assert wire.recv(2000)[12:16] == bytes([10, 99, 0, 9])
        wire.close()

    def test_the_segment_size_fits_the_tunnel_in_both_directions(self, topology, inside):
        wire = sniffer(topology.world, "server0")
        with topology.world.inside(), socket.create_server((str(topology.WORLD), 80)):
            inside.send(syn("10.88.0.9", str(topology.WORLD), 80, 1460))
            assert segment_size(wire.recv(2000)) == 1360
            (answer,) = inside.receive()
        assert answer[33] == 0x12  # SYN, ACK; the world offers what its own device carries, 1460
        assert segment_size(answer) == 1360
        wire.close()

    def test_the_segment_size_of_ipv6_fits_as_well(self, topology, inside):
        for place, device, address in ((topology.server, "inside", "fd88::1"), (topology.server, "world0", "fd01::1")):
            place.sysctl(f"net/ipv6/conf/{device}/disable_ipv6", "0")
            place.ip(f"addr add {address}/64 dev {device} nodad")
        topology.server.sysctl("net/ipv6/conf/all/forwarding", "1")
        topology.world.sysctl("net/ipv6/conf/server0/disable_ipv6", "0")
        topology.world.ip("addr add fd01::10/64 dev server0 nodad")
        wire = sniffer(topology.world, "server0", ETHERNET_IPV6)
        inside.send(six(tcp("0204ffff"), addresses=IPv6Address("fd88::9").packed + IPv6Address("fd01::10").packed))
        while (packet := wire.recv(2000))[6] != 6:
            """Neighbour discovery."""
        assert packet[60:64] == bytes.fromhex("0204") + (1400 - 60).to_bytes(2, "big")
        wire.close()

    def test_a_smaller_segment_size_stays(self, topology, inside):
        wire = sniffer(topology.world, "server0")
        inside.send(syn("10.88.0.9", str(topology.WORLD), 80, 900))
        assert segment_size(wire.recv(2000)) == 900
        wire.close()


class SetupTests:
    """A host on which nft cannot do its work."""

    @pytest.mark.root
    def test_no_privilege(self, namespace):
        said = powerless(
            namespace,
            "from openpptp.net.firewall import *\nfrom openpptp.net.journal import Journal\njournal = Journal()\n"
            "with explained():\n    Firewall(journal).apply(plan(device='inside', pools=[]))\n"
            "print(journal.entries('nftables'), Firewall(journal).undo())\n"
            "journal.remember('nftables', table='openpptp', listing='')\n"
            "print(Firewall(journal).undo())\n",
        )
        first, second, third = said.splitlines()
        assert first == "3 this process may not change the firewall; run as root or grant CAP_NET_ADMIN"
        assert second == "[] []"
        assert third.startswith("['the firewall table inet openpptp may still be there: this process may not")
