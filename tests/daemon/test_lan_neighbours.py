from types import SimpleNamespace

import structlog

from openpptp.daemon.lan_neighbours import Announcer
from openpptp.datapath.seam import Counters
from openpptp.errors import EndReason, SetupError

SESSION = SimpleNamespace(address="10.0.0.9")


class HostProxy:
    """Plays net.proxy_arp and the thread of links: writes down what is asked, in order."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.did: list[tuple[str, str]] = []
        self.refuses = refuses

    async def later(self, change, address) -> None:
        change(address)

    def answer(self, address) -> None:
        if self.refuses:
            raise SetupError("the host does not let us")
        self.did.append(("answer", address))

    def stop(self, address) -> None:
        self.did.append(("stop", address))


class AnnouncerTests:
    """A session's life, as far as ARP is concerned."""

    async def test_it_is_answered_for_while_data_may_flow(self):
        host = HostProxy()
        announcer = Announcer(host, host, structlog.get_logger())
        announcer.logged_in(SESSION, 1.0)
        announcer.went_up(SESSION, Counters(), 2.0)
        announcer.went_down(SESSION, Counters(), 3.0)
        announcer.ended(SESSION, EndReason.PEER_REQUEST, Counters(), 3.0)
        await announcer.settled()
        assert host.did == [("answer", "10.0.0.9"), ("stop", "10.0.0.9")]

    async def test_a_host_that_refuses_costs_a_line(self):
        host = HostProxy(refuses=True)
        announcer = Announcer(host, host, structlog.get_logger())
        with structlog.testing.capture_logs() as lines:
            announcer.went_up(SESSION, Counters(), 2.0)
            await announcer.settled()
        assert [line["event"] for line in lines] == ["the host does not let us"]
