"""Every PPP frame of every capture, to links in every phase: nothing raises, nothing is answered without end."""

import pytest
from tests.machine import need_captures
from tests.pcap import layers
from tests.sim.ppp_pair import Pair, client, server

from openpptp.errors import BadMessage
from openpptp.ppp.outputs import LinkEnded
from openpptp.wire.gre import decode


def ppp_frames(path):
    """Yield the PPP frames of a capture, those in GRE included."""
    for layer in layers(path):
        if layer.kind == "ppp":
            yield layer.data
        elif layer.kind == "ipv4" and len(layer.data) > 20 and layer.data[9] == 47:
            try:
                _, _, _, payload = decode(layer.data[(layer.data[0] & 15) * 4 :])
            except BadMessage:
                continue
            if payload:
                yield bytes(payload)


class CapturesTests:
    """What real peers once sent."""

    @pytest.mark.parametrize("carried", [0, 2, 6, 8, 40])
    def test_no_frame_of_a_capture_breaks_a_link(self, carried):
        frames = 0
        for path in sorted(need_captures().iterdir()):
            if path.suffix not in {".cap", ".pcap", ".pcapng", ".dump"}:
                continue
            pair = Pair(server(ipv6=True), client(ipv6=True))
            pair.run(until=lambda p=pair: p.carried >= carried, limit=5)
            before = pair.carried
            heard = 0
            for octets in ppp_frames(path):
                heard += 1
                for end in pair.ends:
                    if not end.has(LinkEnded):
                        pair.take(end, end.link.receive(octets, pair.now))
            assert pair.carried - before <= 4 * heard + 8
            frames += heard
        assert frames > 300
