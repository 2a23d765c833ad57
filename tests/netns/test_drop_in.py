"""`openpptp serve --pptpd-conf`: the second seed's files, as written there, serve two users."""

import shutil
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.netns.namespace import Namespace
from tests.netns.programs import OPENPPTP, WORLD_NETWORK, Program, connecting, start
from tests.netns.topology import Topology
from tests.seed_files import lay_out

pytestmark = pytest.mark.root

USER, PASSWORD = "testvpn1", "test123"
NEEDED = ("group", "hosts", "iproute2", "ld.so.cache", "nsswitch.conf", "passwd")
"What the programs look for in /etc besides the seed's files."
SERVER_INSIDE = "192.168.10.1"


def start_drop_in(namespace: Namespace, folder: Path, etc: Path) -> Program:
    """Start a server that sees etc as its /etc, and a /var/lib of its own."""
    (folder / "lib").mkdir(parents=True)
    before = f"mount --bind {etc} /etc; mount --bind {folder / 'lib'} /var/lib;"
    return start(namespace, folder, *OPENPPTP, "serve", "--pptpd-conf", "/etc/pptpd.conf", before=before)


class SeedFilesTests:
    """S17 to S19, S21 and S22 of the seed documents."""

    def test_two_clients_reach_the_world_with_the_files_as_they_are(self, make_topology, tmp_path):
        etc = tmp_path / "etc"
        lay_out(etc)
        for name in NEEDED:
            if Path("/etc", name).exists():
                (shutil.copytree if Path("/etc", name).is_dir() else shutil.copyfile)(Path("/etc", name), etc / name)
        topology = make_topology(clients=2)
        server = start_drop_in(topology.server, tmp_path / "server", etc)
        try:
            server.says("serving", "pptpd-option does not exist", "pool=192.168.10.100-192.168.10.200")
            flags = ("--route", WORLD_NETWORK)
            one, other = (
                connecting(client, tmp_path / client.label, *flags, user=USER, password=PASSWORD)
                for client in topology.clients
            )
            with one as first, other as second:
                first.connected()
                second.connected()
                server.says("session up", times=2)
                got = {word for each in (first, second) for word in each.log().split() if word.startswith("address=")}
                assert got == {"address=192.168.10.100", "address=192.168.10.101"}
                for client in topology.clients:
                    assert client.ping(SERVER_INSIDE)
                    assert client.ping(Topology.WORLD)
            assert server.stop(seconds=10) == 0
        except BaseException as failure:
            failure.add_note(f"--- the server said:\n{server.log()}")
            raise
        assert eventually(lambda: "pptp0" not in topology.server.run("ip", "-br", "link").stdout)
        assert PASSWORD not in server.log()
