"""A peer that talks without end is read slowly, and nothing it says is lost."""

import asyncio

from tests.daemon.loopback import house
from tests.eventually import until

from openpptp.daemon.pace import KNOWN, STRANGER, Pace
from openpptp.wire.control import EchoRequest, SetLinkInfo, StartControlConnectionRequest

START = StartControlConnectionRequest(host_name="there").encode()


class PaceTests:
    def test_what_is_sane_never_waits(self):
        pace = Pace(*STRANGER)
        assert pace.spend(156 + 168, 0.0) == 0
        assert all(pace.spend(16, float(minute)) == 0 for minute in range(1000))

    def test_what_came_beyond_it_is_waited_for(self):
        pace = Pace(100.0, 1000.0)
        assert pace.spend(1200, 0.0) == 2.0
        assert pace.spend(100, 2.0) == 1.0
        assert pace.spend(1000, 100.0) == 0

    def test_b028_b030_ten_seconds_of_a_flood_are_at_most_so_many_octets(self):
        pace, now, read = Pace(*STRANGER), 0.0, 0
        while now < 10.0:
            read += 8192
            now += pace.spend(8192, now)
        assert read <= STRANGER[1] + 10 * STRANGER[0] + 8192


class FloodTests:
    """B-028, B-030, P-17: what one connection says without end waits in its own TCP stream."""

    async def test_b028_b030_a_stranger_is_read_no_faster_than_its_pace(self, tmp_path, monkeypatch):
        async with house(tmp_path) as home:
            read = 0
            _, writer = await home.plain()
            await until(lambda: home.server.drivers)
            (driver,) = home.server.drivers
            receive = driver.data_received

            def counted(data: bytes) -> None:
                nonlocal read
                read += len(data)
                receive(data)

            monkeypatch.setattr(driver, "data_received", counted)
            writer.write(START + (SetLinkInfo(1, 2, 3).encode() + EchoRequest(1).encode()) * 200_000)
            await until(lambda: not driver._transport.is_reading())
            # Others are heard at once, and so is the flooding one, once it has waited.
            assert (await home.log_in(source="127.0.0.2")).up
            before = read
            assert not driver._transport.is_reading()
            loop = asyncio.get_running_loop()
            assert driver._reading_again.when() > loop.time() + 1
            driver.pace = Pace(1e9, 1e9)
            driver._read_again()
            await until(lambda: read > before)
            writer.transport.abort()

    async def test_a_connection_that_is_closed_meanwhile_is_not_read_again(self, tmp_path):
        async with house(tmp_path) as home:
            _, writer = await home.plain()
            writer.write(START * 1000)
            await until(lambda: home.server.drivers and home.server.drivers[0]._reading_again is not None)
            (driver,) = home.server.drivers
            driver.abort()
            await home.at_rest()
            assert driver._reading_again.cancelled()
            driver._read_again()
            writer.close()

    async def test_who_has_logged_in_may_say_more(self, tmp_path):
        async with house(tmp_path) as home:
            await home.log_in()
            (driver,) = home.server.drivers
            assert driver.pace.spend(int(KNOWN[1]), asyncio.get_running_loop().time()) == 0
