"""Changes of this host's network."""

import pytest
from tests.eventually import eventually
from tests.netns.namespace import join

from openpptp.net.news import NetworkNews
from openpptp.net.tun import Tun

pytestmark = pytest.mark.root


@pytest.fixture
def host(make_namespace):
    host, router = make_namespace("host"), make_namespace("router")
    join(host, "10.1.0.2/24", router, "10.1.0.1/24")
    # The kernel tells of a new cable up to a second later.
    assert eventually(lambda: host.run("ip", "-br", "link", "show", "router0").stdout.split()[1] == "UP")
    with host.inside():
        yield host


@pytest.fixture
def news(host):
    news = NetworkNews("none")
    yield news
    news.close()


class TakeTests:
    @pytest.mark.parametrize(
        "change",
        [
            "link set router0 down",
            "link set router0 mtu 1400",
            "addr add 10.1.0.77/24 dev router0",
            "addr del 10.1.0.2/24 dev router0",
            "route add default via 10.1.0.1",
            "link add other type veth",
        ],
    )
    def test_what_may_carry_us_elsewhere_is_news(self, host, news, change):
        assert not news.take()
        host.ip(change)
        assert news.take()
        assert not news.take()

    @pytest.mark.parametrize(
        "change", ["route add 10.7.0.0/16 via 10.1.0.1 proto 47", "route add 10.7.0.0/16 via 10.1.0.1 table 77"]
    )
    def test_our_own_routes_and_other_tables_are_none(self, host, news, change):
        host.ip(change)
        assert not news.take()

    def test_nor_is_what_happens_to_the_tunnels_own_device(self, host):
        tun = Tun("inside")
        news = NetworkNews("inside")
        try:
            host.ip("link set inside up")
            host.ip("addr add 10.9.0.2 peer 10.9.0.1 dev inside")
            assert not news.take()
            host.ip("link set router0 down")
            assert news.take()
        finally:
            news.close()
            tun.close()

    def test_a_flood_that_overruns_the_socket_is_news(self, host, news):
        batch = "\n".join(f"route add 10.{n >> 8}.{n & 255}.0/24 via 10.1.0.1" for n in range(512, 12_000))
        host.run("ip", "-batch", "-", input=batch)
        assert news.take()
        while news.take():
            pass
        host.ip("link set router0 mtu 1400")
        assert news.take()
