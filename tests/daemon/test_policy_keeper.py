"""Users held to their policies, over TCP on loopback; the time of day and the counters are the test's."""

import asyncio
from datetime import datetime
from ipaddress import IPv4Network

import pytest
from tests.daemon.loopback import Caller, House, house
from tests.eventually import until

from openpptp.backends.accounting_store import AccountingStore, SessionRow, owner
from openpptp.backends.users_store import UsersStore
from openpptp.daemon import policy_keeper
from openpptp.datapath.seam import Rate
from openpptp.errors import EndReason

MONDAY = datetime(2026, 11, 23, 12, 0).timestamp()
MIB = 2**20


def users(home: House, *lines: str) -> None:
    """Write the secrets file anew, one line for each user: name and policy; the password is pw."""
    rows = (f"{line.split()[0]} * pw * -- {' '.join(line.split()[1:])}\n" for line in lines)
    home.settings.users.file.write_text("".join(rows))


def at(home: House, wall: float) -> None:
    """Set the time of day."""
    home.server._keeper._wall = home.server._keeper._usage._wall = lambda: wall


async def log_in(home: House, user: str = "anna", **how) -> Caller:
    caller = await home.log_in(user=user, password="pw", **how)
    await until(lambda: all(record.is_up for record in home.server.sessions.values()))
    return caller


async def refused(home: House, user: str = "anna") -> str:
    """Call and return what the caller is told."""
    caller = await home.call(user=user, password="pw")
    await until(lambda: caller.over)
    assert caller.up is None
    return caller.ended.detail


def look(home: House, seconds: float = 0.0) -> None:
    """Let the keeper look at every session as if so many seconds had passed."""
    keeper = home.server._keeper
    for kept in list(keeper._kept.values()):
        keeper._look(kept, asyncio.get_running_loop().time() + seconds)


async def ended(home: House, caller: Caller) -> str:
    """Wait until a caller's session has ended; return the reason of the log."""
    await until(lambda: caller.over)
    await home.at_rest()
    return home.log.about("session ended")[-1]["reason"]


def carried(home: House, octets_in: int = 0, octets_out: int = 0) -> None:
    """Let every open call have carried so much."""
    for counters in home.data_path.open_calls.values():
        counters.octets_in, counters.octets_out = octets_in, octets_out


class RefusalTests:
    """Who proved himself may not come in: RFC 2759 section 6 has codes for it, and the message says why."""

    @pytest.mark.parametrize(
        ("policy", "code", "words"),
        [
            ("disabled yes", 647, "This account is disabled"),
            ("expires 2026-11-23", 648, "This account has expired on 2026-11-23"),
            ("expires 2026-11-23T12:00", 648, "This account has expired on 2026-11-23T12:00"),
            ("hours sat-sun/00:00-24:00", 646, "This account may connect at sat-sun/00:00-24:00 only"),
            ("hours 13:00-11:59", 646, "This account may connect at 13:00-11:59 only"),
        ],
    )
    async def test_the_peer_is_told_the_code_and_the_reason(self, tmp_path, policy, code, words):
        async with house(tmp_path) as home:
            users(home, f"anna {policy}")
            at(home, MONDAY)
            told = await refused(home)
            assert f"error {code}, {words}" in told

    async def test_who_does_not_know_the_password_is_told_nothing_of_it(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna disabled yes")
            caller = await home.call(user="anna", password="wrong")
            await until(lambda: caller.over)
            assert "error 691, Access denied" in caller.ended.detail

    async def test_the_log_and_the_events_say_why(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna disabled yes")
            await refused(home)
            (line,) = home.log.about("log-in refused")
            assert line["why"] == "user 'anna' is disabled"

    @pytest.mark.parametrize("policy", ["expires 2026-11-23T12:01", "hours mon/12:00-12:01", "disabled no"])
    async def test_at_the_edge_he_comes_in(self, tmp_path, policy):
        async with house(tmp_path) as home:
            users(home, f"anna {policy}")
            at(home, MONDAY)
            assert (await log_in(home)).up

    async def test_what_holds_for_everybody_can_be_lifted_for_one(self, tmp_path):
        async with house(tmp_path, policy={"hours": "sat/00:00-24:00"}) as home:
            users(home, "anna hours none", "bob disabled no")
            at(home, MONDAY)
            assert (await log_in(home)).up
            assert "error 646" in await refused(home, "bob")

    async def test_anybodys_line_has_a_policy_too(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "* disabled yes")
            assert "error 647" in await refused(home, "whoever")


class GrantTests:
    """What a user is given."""

    async def test_a_fixed_address_outside_the_pool_is_his_and_led_into_the_tunnel(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna address 10.77.1.5")
            caller = await log_in(home)
            assert str(caller.up.our_address) == "10.77.1.5"
            assert home.routes == [("10.77.1.5/32", True)]
            caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            assert home.routes == [("10.77.1.5/32", True), ("10.77.1.5/32", False)]

    async def test_a_fixed_address_that_is_out_is_not_replaced_by_another(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna address 10.9.0.7", "bob address 10.9.0.7")
            await log_in(home)
            caller = await home.call(user="bob", password="pw")
            await until(lambda: caller.over)
            assert caller.up is None
            assert [line["wanted"] for line in home.log.about("no free address for this user")] == ["10.9.0.7"]

    async def test_a_pool_by_name(self, tmp_path):
        network = {"pool": ["10.9.0.0/24"], "pools": {"office": ["10.8.0.8/30"]}}
        async with house(tmp_path, network=network, policy={"pool": "office"}) as home:
            users(home, "anna idle 5m", "bob pool none", "carla pool cellar")
            assert str((await log_in(home)).up.our_address) == "10.8.0.9"
            assert str((await log_in(home, "bob")).up.our_address) == "10.9.0.2"
            caller = await home.call(user="carla", password="pw")
            await until(lambda: caller.over)
            assert home.log.about("no free address for this user")[0]["wanted"] == "pool cellar"
            assert home.routes == []

    async def test_name_servers_of_his_own(self, tmp_path):
        async with house(tmp_path, network={"pool": ["10.9.0.0/24"], "dns": ["10.9.0.53"]}) as home:
            users(home, "anna dns 10.1.1.1,10.1.1.2", "bob idle 5m", "carla dns none")
            told = [(await log_in(home, user, request_dns=True)).up.dns for user in ("anna", "bob", "carla")]
            assert [list(map(str, dns)) for dns in told] == [["10.1.1.1", "10.1.1.2"], ["10.9.0.53"], []]

    async def test_networks_behind_him_may_be_sources_and_are_led_once(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna route 192.168.5.0/24", "bob route 192.168.5.0/24")
            callers = [await log_in(home), await log_in(home, "bob")]
            whats = [what for name, _, what in (e for e in home.data_path.asked if e[0] == "interface_up")]
            assert {what.routed_ipv4 for what in whats} == {(IPv4Network("192.168.5.0/24"),)}
            callers[0].driver.stop(EndReason.USER_REQUEST)
            await until(lambda: len(home.server.sessions) == 1)
            assert home.routes == [("192.168.5.0/24", True)]
            callers[1].driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            assert home.routes == [("192.168.5.0/24", True), ("192.168.5.0/24", False)]

    async def test_rates_reach_the_data_path(self, tmp_path):
        async with house(tmp_path, policy={"burst": "64K/none"}) as home:
            users(home, "anna rate 10mbit/2mbit", "bob rate none/1mbit burst none")
            await log_in(home)
            await log_in(home, "bob")
            whats = [entry[2] for entry in home.data_path.asked if entry[0] == "interface_up"]
            assert [(what.rate_out, what.rate_in) for what in whats] == [
                (Rate(10_000_000, 65536), Rate(2_000_000, 0)),
                (None, Rate(1_000_000, 0)),
            ]


class SessionsTests:
    """So many sessions of one user."""

    async def test_one_more_is_refused_and_told(self, tmp_path):
        async with house(tmp_path, policy={"sessions": "1"}) as home:
            users(home, "anna sessions 2", "bob idle 5m")
            await log_in(home)
            await log_in(home)
            await log_in(home, "bob")
            assert "error 649, This account has 2 sessions already" in await refused(home)
            assert len(home.server.sessions) == 3

    async def test_one_more_takes_the_place_of_the_oldest(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna sessions 1/replace address 10.77.1.5")
            old = await log_in(home)
            new = await log_in(home)
            await until(lambda: old.over)
            assert str(new.up.our_address) == "10.77.1.5"
            assert home.log.about("session ended")[0]["reason"] == "replaced"
            assert "logged in elsewhere" in old.ended.detail

    async def test_many_at_once_leave_one(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna sessions 1/replace")
            callers = [await home.call(user="anna", password="pw") for _ in range(6)]
            await until(lambda: sum(caller.over is not None for caller in callers) == 5)
            await until(lambda: [caller for caller in callers if caller.up])
            assert len(home.server.sessions) == 1
            assert not home.server._keeper._newcomers

    async def test_who_leaves_while_he_waits_for_the_place_gets_nothing(self, tmp_path, monkeypatch):
        hang_up, asked = policy_keeper.hang_up, []
        monkeypatch.setattr(policy_keeper, "hang_up", lambda *what: asked.append(what))
        async with house(tmp_path) as home:
            users(home, "anna sessions 1/replace")
            await log_in(home)
            new = await home.call(user="anna", password="pw")
            await until(lambda: asked)
            new.reset()
            await until(lambda: home.held()["connections"] == 1)
            hang_up(*asked[0])
            await home.at_rest()
            assert len(home.log.about("session up")) == 1

    async def test_who_proves_himself_anew_on_his_own_call_needs_no_second_place(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna sessions 1")
            await log_in(home)
            (record,) = home.server.sessions.values()
            assert home.server._keeper.admit("anna", record.policy, record.call_id, lambda: None) is None


class TimeTests:
    """A session ends when its time is over."""

    @pytest.mark.parametrize(
        ("policy", "before", "after", "reason"),
        [("maxconnect 8h", 8 * 3600 - 5, 8 * 3600, "time-limit"), ("idle 30m", 1795, 1800, "idle")],
    )
    async def test_by_the_monotonic_clock(self, tmp_path, policy, before, after, reason):
        async with house(tmp_path) as home:
            users(home, f"anna {policy}")
            caller = await log_in(home)
            look(home, before)
            assert not caller.over
            assert len(home.server.sessions) == 1
            look(home, after)
            assert await ended(home, caller) == reason

    @pytest.mark.parametrize("way", ["last_in", "last_out"])
    async def test_a_packet_either_way_puts_the_idle_time_off(self, tmp_path, way):
        async with house(tmp_path, policy={"idle": "30m"}) as home:
            users(home, "anna disabled no")
            caller = await log_in(home)
            (counters,) = home.data_path.open_calls.values()
            setattr(counters, way, asyncio.get_running_loop().time() + 600)
            look(home, 1801)
            assert not caller.over
            look(home, 2401)
            assert await ended(home, caller) == "idle"

    @pytest.mark.parametrize(
        ("policy", "reason"),
        [("hours mon/08:00-18:00", "hours"), ("expires 2026-11-23T18:00", "expired")],
    )
    async def test_by_the_time_of_day(self, tmp_path, policy, reason):
        async with house(tmp_path) as home:
            users(home, f"anna {policy}")
            at(home, MONDAY)
            caller = await log_in(home)
            at(home, MONDAY + 6 * 3600 - 1)
            look(home)
            assert len(home.server.sessions) == 1
            at(home, MONDAY + 6 * 3600)
            look(home)
            assert await ended(home, caller) == reason

    async def test_the_keeper_wakes_by_itself_and_ends_many_in_turns(self, tmp_path, monkeypatch):
        monkeypatch.setattr(policy_keeper, "AT_ONCE", 2)
        async with house(tmp_path) as home:
            users(home, *(f"u{number} maxconnect 8h" for number in range(5)))
            callers = [await log_in(home, f"u{number}") for number in range(5)]
            keeper = home.server._keeper
            for kept in keeper._kept.values():
                kept.since -= 8 * 3600
                keeper._look_again(kept, asyncio.get_running_loop().time())
            await until(lambda: all(caller.over for caller in callers))
            await home.at_rest()
            assert {line["reason"] for line in home.log.about("session ended")} == {"time-limit"}

    async def test_without_limits_nothing_is_looked_at(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna disabled no")
            await log_in(home)
            assert home.server._keeper._due == []
            assert home.server._keeper._timer is None

    async def test_the_heap_is_bounded_by_the_sessions(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna idle 30m")
            await log_in(home)
            for _ in range(1000):
                look(home)
            assert len(home.server._keeper._due) <= policy_keeper.SPARE + 2


class QuotaTests:
    """Octets in a period: the accounting's, those of sessions since, and the running ones."""

    @staticmethod
    def account(home: House, user: str, started: float, octets: int) -> None:
        store = AccountingStore(home.settings.accounting.file)
        who = "before", owner(), user, "192.0.2.1", "10.9.0.2"
        store.write([SessionRow(*who, started, started + 9, started + 9, octets, 0, 0, 0, "x")])
        store.close()

    async def test_it_ends_the_session_and_refuses_the_next(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna quota 10M/day")
            at(home, MONDAY)
            caller = await log_in(home)
            carried(home, 6 * MIB, 3 * MIB)
            look(home)
            assert len(home.server.sessions) == 1
            carried(home, 6 * MIB, 4 * MIB)
            look(home)
            assert await ended(home, caller) == "quota"
            told = await refused(home)
            assert "error 649, The quota 10MiB/day is used up until 2026-11-24" in told

    async def test_what_the_accounting_knows_of_the_period_counts(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna quota 10M/month", "bob quota 10M/month")
            at(home, MONDAY)
            self.account(home, "anna", datetime(2026, 11, 1).timestamp(), 10 * MIB)
            assert "is used up until 2026-12-01" in await refused(home)
            assert (await log_in(home, "bob")).up

    async def test_what_was_before_the_period_does_not(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna quota 10M/week")
            at(home, MONDAY)
            self.account(home, "anna", datetime(2026, 11, 22).timestamp(), 10 * MIB)
            assert (await log_in(home)).up

    async def test_a_quota_for_good_counts_everything(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna quota 10M")
            self.account(home, "anna", 5.0, 10 * MIB)
            assert "The quota 10MiB is used up (" not in (told := await refused(home))
            assert "The quota 10MiB is used up" in told

    async def test_the_next_period_begins_with_nothing_for_a_session_that_goes_on(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna quota 10M/day")
            at(home, MONDAY)
            caller = await log_in(home)
            carried(home, 9 * MIB)
            look(home)
            at(home, MONDAY + 86400)
            look(home)
            carried(home, 18 * MIB)
            look(home)
            assert len(home.server.sessions) == 1
            carried(home, 19 * MIB)
            look(home)
            assert await ended(home, caller) == "quota"

    async def test_two_sessions_share_it(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna quota 10M/day")
            callers = [await log_in(home), await log_in(home)]
            carried(home, 5 * MIB)
            look(home)
            await until(lambda: all(caller.over for caller in callers))

    async def test_a_session_that_has_ended_counts_before_it_is_in_the_accounting(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna quota 10M/day")
            caller = await log_in(home)
            carried(home, 10 * MIB)
            caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            assert "is used up" in await refused(home)

    async def test_a_file_that_cannot_be_read_lets_him_in_and_is_said(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna quota 10M/day")
            home.settings.accounting.file.write_bytes(b"no database" * 100)
            assert (await log_in(home)).up
            assert home.log.about("a quota counts from now on only")

    async def test_without_accounting_it_counts_from_the_start(self, tmp_path):
        async with house(tmp_path, accounting={"on": False}) as home:
            users(home, "anna quota 10M/day")
            assert (await log_in(home)).up
            carried(home, 10 * MIB)
            look(home)
            await home.at_rest()
            assert "is used up" in await refused(home)


class ChangeTests:
    """A policy that changes for somebody who is connected."""

    async def changed(self, home: House) -> None:
        """Let the keeper find that users have changed, as it does every few seconds."""
        home.server._keeper._look_for_changes()
        await until(lambda: home.server._keeper._task is None)

    async def test_rates_change_at_the_next_look(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna rate 10mbit", "bob rate 5mbit")
            await log_in(home)
            await log_in(home, "bob")
            before = [entry for entry in home.data_path.asked if entry[0] == "interface_up"]
            users(home, "anna rate 1mbit", "bob rate 5mbit")
            await self.changed(home)
            after = [entry for entry in home.data_path.asked if entry[0] == "interface_up"][len(before) :]
            ((_, call_id, what),) = after
            assert (call_id, what.rate_out, what.allowed_ipv4) == (
                before[0][1], Rate(1_000_000, 0), before[0][2].allowed_ipv4
            )  # fmt: skip
            (line,) = home.log.about("policy changed")
            assert (line["user"], line["policy"]) == ("anna", "rate 1mbit")

    @pytest.mark.parametrize(
        ("policy", "reason"), [("disabled yes", "disabled"), ("expires 2026-11-01", "expired"), ("idle 1h", None)]
    )
    async def test_what_forbids_him_ends_the_session(self, tmp_path, policy, reason):
        async with house(tmp_path) as home:
            users(home, "anna rate 10mbit")
            caller = await log_in(home)
            at(home, MONDAY)
            users(home, f"anna {policy}")
            await self.changed(home)
            if reason is None:
                assert len(home.server._keeper._due) == 1
            else:
                assert await ended(home, caller) == reason

    async def test_the_store_is_seen_too_and_a_log_in_of_another_is_enough(self, tmp_path):
        async with house(tmp_path) as home:
            with UsersStore(home.settings.users.store) as store:
                store.add("anna", "pw")
                store.add("bob", "pw")
            caller = await log_in(home)
            with UsersStore(home.settings.users.store) as store:
                store.limit("anna", lambda policy: policy.said("disabled", "yes"))
            await log_in(home, "bob")
            await until(lambda: caller.over)
            assert home.log.about("session ended")[0]["reason"] == "disabled"

    async def test_a_reload_applies_what_holds_for_everybody(self, tmp_path):
        async with house(tmp_path) as home:
            await home.log_in()
            section = home.settings.policy.model_copy(update={"maxconnect": "1h"})
            home.server.adopt(home.settings.model_copy(update={"policy": section}), None)
            await until(lambda: len(home.server._keeper._due) == 1)

    async def test_who_is_removed_stays_until_he_goes(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna rate 10mbit", "bob rate 1mbit")
            await log_in(home)
            users(home, "bob rate 1mbit")
            await self.changed(home)
            assert len(home.server.sessions) == 1
            assert not home.log.about("policy changed")

    async def test_a_new_quota_counts_what_was_before(self, tmp_path):
        async with house(tmp_path) as home:
            users(home, "anna rate 10mbit")
            caller = await log_in(home)
            carried(home, 20 * MIB)
            users(home, "anna quota 10M/day")
            await self.changed(home)
            await until(lambda: home.server._keeper._usage._accounts)
            look(home)
            assert await ended(home, caller) == "quota"

    async def test_with_nobody_there_nothing_is_looked_for(self, tmp_path):
        async with house(tmp_path) as home:
            caller = await home.log_in()
            caller.driver.stop(EndReason.USER_REQUEST)
            await home.at_rest()
            home.server._keeper._look_for_changes()
            assert home.server._keeper._changes is None
