"""The stream of events and its bounded queues."""

from openpptp.daemon.events import EventStream, Queue


async def all_of(queue: Queue) -> list[dict]:
    queue.close()
    events = []
    while (event := await queue.fetch()) is not None:
        events.append(event)
    return events


class EventStreamTests:
    async def test_each_listener_hears_what_happens_while_it_listens(self):
        stream, first, second = EventStream(), Queue(), Queue()
        stream.publish("before")
        stream.listen(first)
        stream.publish("one", number=1)
        stream.listen(second)
        stream.publish("two")
        stream.leave(first)
        stream.leave(first)
        stream.publish("three")
        assert [event["event"] for event in await all_of(first)] == ["one", "two"]
        assert [event["event"] for event in await all_of(second)] == ["two", "three"]

    async def test_an_event_has_its_time_in_utc_and_its_facts(self):
        stream, queue = EventStream(), Queue()
        stream.listen(queue)
        stream.publish("one", number=1)
        (event,) = await all_of(queue)
        assert event["number"] == 1
        assert event["time"].endswith("+00:00")


class QueueTests:
    async def test_lost_stands_where_the_events_were(self):
        queue = Queue(2)
        for number in range(5):
            queue.take({"event": number})
        assert (await queue.fetch())["event"] == 0
        queue.take({"event": 5})  # there is room, but it would come before the gap
        assert [event["event"] for event in (await queue.fetch(), await queue.fetch())] == [1, "lost"]
        queue.take({"event": 6})
        assert [event["event"] for event in await all_of(queue)] == [6]

    async def test_the_number_lost_is_right(self):
        queue = Queue(1)
        for number in range(5):
            queue.take({"event": number})
        assert (await all_of(queue))[1:] == [{"event": "lost", "count": 4}]
