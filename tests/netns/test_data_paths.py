"""Our server and our client over each data path and each road of the carrier, with real packets."""

import re

import pytest
from tests.netns.test_end_to_end import TO_WORLD, carries, stage

from openpptp.net import engine

pytestmark = pytest.mark.root
built = pytest.mark.skipif(not engine.available(), reason=engine.why_not())


def totals(log: str) -> dict[str, int]:
    """Return what an engine said it did, at its end."""
    line = log.rpartition("what the engine did")[2].splitlines()[0]
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}


def carried(folder, server: dict[str, object], *flags: str, after: tuple[str, ...] = ()) -> tuple[str, str]:
    """Carry octets both ways once both sides have said these words; return the logs of server and client."""
    with stage(folder, server=server, log={"level": "debug"}) as made:
        with made.client(*TO_WORLD, "--log-level", "debug", *flags) as client:
            for program in (made.server, client):
                program.says(*after)
            assert carries(made.topology.client)
        assert made.server.stop() == 0
        return made.server.log(), client.log()


class DataPathTests:
    """Whatever carries them, the octets arrive unharmed."""

    @built
    def test_the_engine_through_the_raw_socket(self, namespaces_possible, tmp_path):
        for log in carried(tmp_path, {"carrier": "raw"}, "--carrier", "raw"):
            assert "kind=engine" in log
            did = totals(log)
            assert (did["sent_ethernet"], did["received_ring"], did["unknown"]) == (0, 0, 0)
            assert did["received_raw"] > 1000

    @built
    def test_the_engine_beside_the_ip_stack_where_that_is_possible(self, namespaces_possible, tmp_path):
        words = ("beside the IP stack",)
        for log in carried(tmp_path, {"carrier": "auto"}, "--carrier", "ring", after=words):
            did = totals(log)
            assert did["sent_ethernet"] > 1000
            assert did["received_ring"] > 1000
            assert "no plain Ethernet route" not in log

    @built
    def test_the_engine_with_several_threads(self, namespaces_possible, tmp_path):
        server, _ = carried(tmp_path, {"threads": 3})
        assert "threads=6" in server
        assert totals(server)["unknown"] == 0

    def test_the_reference(self, namespaces_possible, tmp_path):
        for log in carried(tmp_path, {"data_path": "reference"}, "--data-path", "reference"):
            assert "kind=reference" in log
            assert "what the engine did" not in log
