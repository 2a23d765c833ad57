import pytest

from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel.settings import TunnelSettings


class OnPathTests:
    """Q-48: what the way to the peer carries."""

    @pytest.mark.parametrize(
        ("mtu", "path_mru", "mru"),
        [(None, 1460, 1400), (1500, 1460, 1400), (9000, 1460, 1400), (1492, 1452, 1400), (1400, 1360, 1360)],
    )
    def test_neither_end_sends_more_than_it(self, mtu, path_mru, mru):
        settings = TunnelSettings(link=LinkSettings()).on_path(mtu)
        assert (settings.path_mru, settings.link.mru) == (path_mru, mru)
