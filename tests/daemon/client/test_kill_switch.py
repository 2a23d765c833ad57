"""The kill switch of a client: when it goes up, whose it is, when it goes."""

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.daemon.loopback import Log
from tests.eventually import until

from openpptp.daemon.client import kill_record
from openpptp.daemon.client import kill_switch as module
from openpptp.daemon.client.kill_switch import KillSwitch, release
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.errors import SetupError

HOST = "203.0.113.1"


@dataclass
class FakeFirewall:
    """A table that may be there."""

    plans: list[str] = field(default_factory=list)
    there: bool = False
    refuses: bool = False
    sticks: bool = False
    name: str = "inet openpptp-kill-switch"

    def is_there(self) -> bool:
        return self.there

    def apply(self, transaction: str) -> None:
        if self.refuses:
            raise SetupError("nft refused our rules: no")
        self.plans.append(transaction)
        self.there = True

    def undo(self) -> list[str]:
        self.there = self.sticks
        return []


class Stage:
    def __init__(self, tmp_path) -> None:
        self.directory, self.firewall, self.log = tmp_path / "run", FakeFirewall(), Log()

    def switch(self, *hosts: str, wish: str = "on", interface: str = "pptp-office", **how) -> KillSwitch:
        """Make one as a new process has it."""
        request = ConnectRequest(
            hosts or (HOST,), "u", "p", interface=interface, kill_switch=wish, runtime_directory=self.directory, **how
        )
        return KillSwitch(request, self.log.logger, self.firewall)

    def said(self) -> str:
        return " ".join(line["event"] for line in self.log.lines)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A host where vpn.example has an address, and asking is noticed."""
    made = Stage(tmp_path)
    made.asked = []

    async def resolve(hosts):
        made.asked.append(tuple(hosts))
        return [module.Where(host, module.IPv4Address(HOST)) for host in hosts]

    monkeypatch.setattr(module, "resolve", resolve)
    return made


class PutUpTests:
    """It goes up as soon as the addresses are known."""

    async def test_before_the_first_call(self, stage):
        switch = stage.switch()
        switch.begin()
        assert [str(place.address) for place in await switch.look_up((HOST,))] == [HOST]
        assert HOST in stage.firewall.plans[0]
        record = kill_record.read(stage.directory)
        assert (record.interface, record.addresses(), record.lan) == ("pptp-office", [HOST], False)

    async def test_looking_up_again_changes_nothing_and_asks_nobody(self, stage):
        switch = stage.switch("vpn.example")
        await switch.look_up(("vpn.example",))
        await switch.look_up(("vpn.example",))
        assert (len(stage.firewall.plans), stage.asked) == (1, [("vpn.example",)])

    async def test_without_the_wish_nothing_happens(self, stage):
        switch = stage.switch(wish="off")
        switch.begin()
        await switch.look_up((HOST,))
        await switch.keep()
        await switch.lift()
        switch.leave()
        assert not stage.firewall.plans
        assert not stage.said()

    async def test_when_nft_refuses_there_is_no_tunnel_either(self, stage):
        stage.firewall.refuses = True
        with pytest.raises(SetupError, match="no kill switch, and so no tunnel") as refused:
            await stage.switch().look_up((HOST,))
        assert refused.value.exit_code == 3
        assert kill_record.read(stage.directory) is None


class AdoptedTests:
    """What a killed client left."""

    async def test_the_next_start_takes_it_over_with_the_addresses_it_knows(self, stage):
        await stage.switch("vpn.example").look_up(("vpn.example",))
        second = stage.switch("vpn.example", wish="lan")
        second.begin()
        places = await second.look_up(("vpn.example", "192.0.2.7"))
        assert [str(place) for place in places] == [f"vpn.example ({HOST})", "192.0.2.7"]
        assert stage.asked == [("vpn.example",)]
        assert "192.168.0.0/16" in stage.firewall.plans[-1]

    async def test_a_name_it_does_not_know_cannot_be_looked_up(self, stage):
        await stage.switch().look_up((HOST,))
        with pytest.raises(SetupError, match=r"it does not know other\.example; lift it first"):
            await stage.switch("other.example").look_up(("other.example",))

    async def test_another_tunnels_stands_in_the_way(self, stage):
        await stage.switch().look_up((HOST,))
        with pytest.raises(SetupError, match="kill switch of the tunnel pptp-office holds"):
            stage.switch(interface="other").begin()
        stage.switch(interface="other", wish="off").begin()
        stage.switch(wish="off").begin()
        assert stage.said().count("lift it with: sudo openpptp connect --release") == 2

    async def test_one_whose_rules_are_gone_is_forgotten(self, stage):
        await stage.switch().look_up((HOST,))
        stage.firewall.there = False
        stage.switch(interface="other").begin()
        assert "somebody took them away" in stage.said()
        assert kill_record.read(stage.directory) is None

    async def test_of_another_boot_there_is_none(self, stage, monkeypatch):
        await stage.switch().look_up((HOST,))
        monkeypatch.setattr(kill_record, "world", lambda: "another")
        assert kill_record.read(stage.directory) is None


class EndTests:
    """Who ends it."""

    async def test_its_user_does(self, stage):
        switch = stage.switch()
        await switch.look_up((HOST,))
        await switch.lift()
        switch.leave()
        assert not stage.firewall.there
        assert kill_record.read(stage.directory) is None
        assert "stays" not in stage.said()

    async def test_otherwise_it_stays_and_says_how_to_lift_it(self, stage):
        switch = stage.switch()
        await switch.look_up((HOST,))
        switch.leave()
        assert "the kill switch stays" in stage.said()
        assert release(stage.directory, firewall=stage.firewall) == "the kill switch of pptp-office is lifted"
        assert release(stage.directory, firewall=stage.firewall) == "there is no kill switch"

    async def test_only_that_of_the_profile_named(self, stage):
        await stage.switch(profile="office").look_up((HOST,))
        with pytest.raises(SetupError, match="is that of office, not of home; it stays"):
            release(stage.directory, "home", stage.firewall)
        assert "lifted" in release(stage.directory, "office", stage.firewall)

    async def test_rules_that_nobody_has_written_down_are_lifted_as_well(self, stage):
        stage.firewall.there = True
        assert release(stage.directory, firewall=stage.firewall) == "the kill switch is lifted"

    async def test_one_that_does_not_go_is_said_to_be_there(self, stage):
        await stage.switch().look_up((HOST,))
        stage.firewall.sticks = True
        with pytest.raises(SetupError, match="does not go away"):
            release(stage.directory, firewall=stage.firewall)
        assert kill_record.read(stage.directory) is not None

    async def test_what_a_person_released_meanwhile_is_not_put_up_again(self, stage):
        switch = stage.switch()
        await switch.look_up((HOST,))
        release(stage.directory, firewall=stage.firewall)
        await switch.look_up((HOST,))
        assert len(stage.firewall.plans) == 1
        switch.leave()
        assert "stays" not in stage.said()


class KeepTests:
    """Rules that somebody takes away."""

    async def test_are_put_up_again(self, stage, monkeypatch):
        changes: asyncio.Queue[None] = asyncio.Queue()
        monkeypatch.setattr(module, "rules_news", lambda: type("News", (), {"close": lambda self: None})())
        monkeypatch.setattr(module, "_change", lambda _: changes.get())
        switch = stage.switch()
        await switch.look_up((HOST,))
        keeping = asyncio.create_task(switch.keep())
        stage.firewall.there = False
        stage.firewall.refuses = True
        changes.put_nowait(None)
        await until(lambda: "no kill switch" in stage.said())
        stage.firewall.refuses = False
        changes.put_nowait(None)
        await until(lambda: stage.firewall.there)
        keeping.cancel()
        assert kill_record.read(stage.directory) is not None
