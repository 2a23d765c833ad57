"""`openpptp serve --pptpd-conf`: the second seed's files, as written there, serve two users."""

import pytest
from tests.eventually import eventually
from tests.netns.drop_in import PASSWORD, SERVER_INSIDE, USER, lay_out_etc, start_drop_in
from tests.netns.programs import WORLD_NETWORK, connecting
from tests.netns.topology import Topology

pytestmark = pytest.mark.root


class SeedFilesTests:
    """S17 to S19, S21 and S22 of the seed documents."""

    def test_two_clients_reach_the_world_with_the_files_as_they_are(self, make_topology, tmp_path):
        topology = make_topology(clients=2)
        server = start_drop_in(topology.server, tmp_path / "server", lay_out_etc(tmp_path))
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
