import asyncio
from ipaddress import IPv4Address

import structlog

from openpptp.daemon.admission import Admission, AdmissionLimits
from openpptp.daemon.waiting_room import WaitingRoom
from openpptp.errors import EndReason


class Visitor:
    """Plays a driver: writes down what befell it."""

    def __init__(self, number: int, *, ended: bool = False, introduced: bool = False) -> None:
        self.peer = IPv4Address(number)
        self.ended = ended
        self.introduced = introduced
        self.fate: list[object] = []
        self.log = structlog.get_logger()

    def abort(self) -> None:
        self.fate.append("aborted")

    def stop(self, reason: EndReason) -> None:
        self.fate.append(reason)


class House:
    def __init__(self, waiting: int = 3, login_timeout: float = 60.0) -> None:
        self.admission = Admission(AdmissionLimits(waiting, waiting_per_source=10))
        self.room = WaitingRoom(self.admission, login_timeout)

    def comes(self, number: int, **state: bool) -> Visitor:
        visitor = Visitor(number, **state)
        self.admission.enter(visitor.peer)
        self.room.enter(visitor)
        return visitor


class WaitingRoomTests:
    """B-020, and a connection that never logs in."""

    async def test_b020_the_longest_waiting_of_the_largest_crowd_makes_room(self):
        house = House(waiting=3)
        alone, first, second, newcomer = (house.comes(number) for number in (1, 2, 2, 3))
        assert (alone.fate, first.fate, second.fate, newcomer.fate) == ([], ["aborted"], [], [])
        assert len(house.room) == 3

    async def test_b020_of_crowds_of_one_those_who_said_nothing_make_room_for_a_log_in_on_its_way(self):
        house = House(waiting=3)
        speaking = house.comes(1, introduced=True)
        silent = [house.comes(number) for number in range(2, 9)]
        assert speaking.fate == []
        assert [visitor.fate for visitor in silent] == [["aborted"]] * 5 + [[], []]

    async def test_b020_who_speaks_does_not_own_the_door(self):
        house = House(waiting=3)
        speaking = [house.comes(number, introduced=True) for number in (1, 2, 3)]
        newcomer = house.comes(4)
        assert [visitor.fate for visitor in (*speaking, newcomer)] == [["aborted"], [], [], []]

    async def test_who_logged_in_does_not_count(self):
        house = House(waiting=1)
        visitor = house.comes(1)
        house.room.leave(visitor)
        assert house.comes(2).fate == visitor.fate == []

    async def test_who_does_not_log_in_has_to_go(self):
        house = House(login_timeout=0.0)
        visitor = house.comes(1)
        for _ in range(3):  # turns of the event loop
            await asyncio.sleep(0)
        assert visitor.fate == [EndReason.SETUP_TIMEOUT]

    async def test_who_was_over_before_it_came_in_takes_no_place(self):
        house = House(waiting=1)
        house.comes(1, ended=True)
        assert len(house.room) == 0
        assert house.comes(2).fate == []
        assert not house.admission.crowded
