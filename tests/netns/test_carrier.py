"""The engine's roads to the carrier (native/carrier.h) with real packets: whichever they take, the same arrives."""

import select
import socket
import threading
from collections import Counter
from struct import pack, unpack_from
from typing import NamedTuple

import pytest
from tests.native.parts import part
from tests.net.packets import checksum, number, sniffer
from tests.netns.namespace import Namespace, join

from openpptp.net.gre import RawGrePort

pytestmark = pytest.mark.root

US, PEER, OTHER = number("10.5.0.1"), number("10.5.0.2"), number("10.5.0.9")
SOURCES = ("carrier.c", "carrier_raw.c", "carrier_ring.c", "carrier_ethernet.c", "carrier_filter.c", "fragments.c")

DECLARATIONS = """
struct carrier;
struct carrier *carrier_new(uint32_t shards);
void carrier_free(struct carrier *carrier);
int carrier_attach_raw(struct carrier *carrier, uint32_t shard, int descriptor);
int carrier_open_ring(struct carrier *carrier, uint32_t interface_index);
int carrier_close_ring(struct carrier *carrier, uint32_t interface_index);
struct taken { uint32_t length; uint32_t source; uint32_t destination; uint8_t octets[2048]; };
size_t take(struct carrier *carrier, uint32_t shard, struct taken *taken, size_t room);
size_t watch(struct carrier *carrier, uint32_t shard, int *descriptors);
struct route { uint32_t interface_index; uint32_t mtu; uint8_t header[14]; };
size_t send_all(struct carrier *carrier, uint32_t shard, const uint8_t *octets, const uint32_t *lengths,
                const uint32_t *peers, uint32_t local, size_t count, const struct route *route, uint8_t *lost);
struct engine_totals {
    uint64_t malformed, outside_full, sent_raw, sent_ethernet, received_raw, received_ring;
    ...;
};
void carrier_totals(struct carrier *carrier, struct engine_totals *totals);
"""

HELPERS = """
#include <stdlib.h>
#include "carrier.h"

struct taken { uint32_t length; uint32_t source; uint32_t destination; uint8_t octets[2048]; };
struct route { uint32_t interface_index; uint32_t mtu; uint8_t header[14]; };

static size_t take(struct carrier *carrier, uint32_t shard, struct taken *taken, size_t room)
{
    struct incoming packets[64];
    size_t count = carrier_receive(carrier, shard, packets, room);
    for (size_t i = 0; i < count; i++) {
        taken[i].length = packets[i].length;
        taken[i].source = packets[i].source;
        taken[i].destination = packets[i].destination;
        memcpy(taken[i].octets, packets[i].octets, packets[i].length < 1900 ? packets[i].length : 1900);
    }
    carrier_release(carrier, shard);
    return count;
}

static size_t watch(struct carrier *carrier, uint32_t shard, int *descriptors)
{
    struct pollfd watched[CARRIER_DESCRIPTORS];
    int count = carrier_descriptors(carrier, shard, watched);
    for (int i = 0; i < count; i++)
        descriptors[i] = watched[i].fd;
    return (size_t)count;
}

static size_t send_all(struct carrier *carrier, uint32_t shard, const uint8_t *octets, const uint32_t *lengths,
                       const uint32_t *peers, uint32_t local, size_t count, const struct route *route, uint8_t *lost)
{
    struct ethernet_route known = {.interface_index = route->interface_index, .mtu = route->mtu};
    memcpy(known.header, route->header, sizeof known.header);
    struct call *calls = aligned_alloc(_Alignof(struct call), count * sizeof *calls);
    struct outgoing *slots = calloc(count, sizeof *slots);
    struct outgoing **packets = calloc(count, sizeof *packets);
    for (size_t i = 0; i < count; i++) {
        calls[i].peer = peers[i];
        calls[i].local = local;
        calls[i].route = &known;
        slots[i].call = &calls[i];
        slots[i].start = 40;
        slots[i].length = (uint16_t)lengths[i];
        memcpy(slots[i].octets + 40, octets, lengths[i]);
        octets += lengths[i];
        packets[i] = &slots[i];
    }
    size_t failed = carrier_send(carrier, shard, packets, count);
    for (size_t i = 0; i < count; i++)
        lost[i] = slots[i].lost;
    free(packets);
    free(slots);
    free(calls);
    return failed;
}
"""


class Arrived(NamedTuple):
    payload: bytes
    source: int
    destination: int
    length: int


def gre(call_id: int, sequence: int = 0, payload: bytes = b"") -> bytes:
    return pack("!HHHHI", 0x3001, 0x880B, len(payload), call_id, sequence) + payload


def packet(payload: bytes, *, destination: int = US, place: int = 0, identification: int = 7, **options) -> bytes:
    """Return an IPv4 packet to us with what an attacker may set wrongly."""
    version, protocol = options.get("version", 0x45), options.get("protocol", 47)
    total = options.get("total", 20 + len(payload))
    head = pack("!BBHHHBBHII", version, 0, total, identification, place, 64, protocol, 0, PEER, destination)
    return head[:10] + pack("!H", options.get("sum", checksum(head))) + head[12:] + payload


def fragments(payload: bytes, at: int, **options) -> list[bytes]:
    return [
        packet(payload[:at], place=0x2000, **options),
        packet(payload[at:], place=at // 8, **options),
    ]


class Carrier:
    """The carrier of one process, and a raw socket a shard."""

    def __init__(self, namespace: Namespace, shards: int = 1):
        self.made = part(DECLARATIONS, *SOURCES, "ip.c", include=HELPERS)
        self.namespace = namespace
        self.shards = shards
        self.carrier = self.made.lib.carrier_new(shards)
        with namespace.inside():
            self.ports = [RawGrePort() for _ in range(shards)]
            for shard, port in enumerate(self.ports):
                assert self.made.lib.carrier_attach_raw(self.carrier, shard, port.fileno()) == 0

    def close(self):
        self.made.lib.carrier_free(self.carrier)
        for port in self.ports:
            port.close()

    def index(self, device: str) -> int:
        with self.namespace.inside():
            return socket.if_nametoindex(device)

    def open_ring(self, device: str) -> int:
        with self.namespace.inside():
            return self.made.lib.carrier_open_ring(self.carrier, socket.if_nametoindex(device))

    def close_ring(self, device: str) -> int:
        return self.made.lib.carrier_close_ring(self.carrier, self.index(device))

    def watched(self, shard: int = 0) -> list[int]:
        descriptors = self.made.ffi.new("int[16]")
        return list(descriptors[0 : self.made.lib.watch(self.carrier, shard, descriptors)])

    def receive(self, count: int = 64, *, shard: int = 0) -> list[Arrived]:
        """Return so many packets, or those that are there when no more come for a while."""
        arrived: list[Arrived] = []
        room = self.made.ffi.new("struct taken[64]")
        while len(arrived) < count:
            taken = self.made.lib.take(self.carrier, shard, room, min(64, count - len(arrived)))
            for each in room[0:taken]:
                octets = bytes(self.made.ffi.buffer(each.octets))[: min(each.length, 1900)]
                arrived.append(Arrived(octets, each.source, each.destination, each.length))
            if not taken and not self.wait(shard):
                break
        return arrived

    def wait(self, shard: int = 0) -> bool:
        return bool(select.select(self.watched(shard), [], [], 0.2)[0])

    def send(self, *payloads: bytes, peer: int = PEER, local: int = US, route: tuple = (0, 0, bytes(14))) -> list[bool]:
        """Send; return which were taken."""
        new = self.made.ffi.new
        lengths = new("uint32_t[]", [len(payload) for payload in payloads])
        peers = new("uint32_t[]", [peer] * len(payloads))
        way, lost = new("struct route *", route), new("uint8_t[]", len(payloads))
        sent = self.made.lib.send_all
        failed = sent(self.carrier, 0, b"".join(payloads), lengths, peers, local, len(payloads), way, lost)
        assert failed == sum(lost)
        return [not each for each in lost]

    @property
    def totals(self) -> dict[str, int]:
        totals = self.made.ffi.new("struct engine_totals *")
        self.made.lib.carrier_totals(self.carrier, totals)
        names = ("malformed", "outside_full", "sent_raw", "sent_ethernet", "received_raw", "received_ring")
        return {name: getattr(totals, name) for name in names if getattr(totals, name)}


class Wire:
    """Two namespaces joined by a cable: we are 10.5.0.1 at the device peer0, the peer is 10.5.0.2 at us0."""

    def __init__(self, make_namespace):
        self.us, self.peer = make_namespace("us"), make_namespace("peer")
        join(self.us, "10.5.0.1/24", self.peer, "10.5.0.2/24")
        assert self.us.ping("10.5.0.2")
        with self.peer.inside():
            self.frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.frames.bind(("us0", 0))
            self.port = RawGrePort()
        self.carriers: list[Carrier] = []
        self.sniffer = sniffer(self.peer, "us0")

    def carrier(self, shards: int = 1) -> Carrier:
        self.carriers.append(Carrier(self.us, shards))
        return self.carriers[-1]

    def address(self, namespace: Namespace, device: str) -> bytes:
        shown = namespace.run("cat", f"/sys/class/net/{device}/address").stdout
        return bytes.fromhex(shown.strip().replace(":", ""))

    @property
    def header(self) -> bytes:
        return self.address(self.peer, "us0") + self.address(self.us, "peer0") + b"\x08\x00"

    def inject(self, *packets: bytes, tag: bytes = b"", to: bytes | None = None):
        """Put frames on the wire as the peer would."""
        for each in packets:
            to = to or self.address(self.us, "peer0")
            self.frames.send(to + self.address(self.peer, "us0") + tag + b"\x08\x00" + each)

    def answers(self) -> list[bytes]:
        """Return what the peer gets that is not GRE, after something that must come."""
        with self.us.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
            program.sendto(b"end", ("10.5.0.2", 9))
        found = []
        while True:
            each = self.sniffer.recv(4000)
            if each[9] == 17 and each.endswith(b"end"):
                return found
            if each[9] != 47:
                found.append(each)

    def close(self):
        for each in (*self.carriers, self.port, self.frames, self.sniffer):
            each.close()


@pytest.fixture
def wire(make_namespace):
    made = Wire(make_namespace)
    yield made
    made.close()


@pytest.fixture(params=["raw", "ring"])
def carrier(request, wire):
    carrier = wire.carrier()
    if request.param == "ring":
        assert carrier.open_ring("peer0") == 0
    carrier.road = f"received_{request.param}"
    return carrier


class ReceiveTests:
    """By either road."""

    def test_a_packet_arrives_once_without_its_header_and_nothing_is_answered(self, wire, carrier):
        wire.port.send(gre(7, 1, b"hello"), US, PEER)
        assert carrier.receive() == [Arrived(gre(7, 1, b"hello"), PEER, US, 17)]
        assert carrier.totals == {carrier.road: 1}
        assert wire.answers() == []

    def test_many_packets_arrive_in_order(self, wire, carrier):
        sent = [gre(7, each, bytes(each % 1400)) for each in range(1500)]
        for each in sent:
            wire.port.send(each, US, PEER)
        assert [each.payload for each in carrier.receive(1501)] == sent

    def test_padding_of_short_frames_is_no_part_of_the_packet(self, wire, carrier):
        wire.inject(packet(gre(7)) + bytes(18))
        assert [each.payload for each in carrier.receive()] == [gre(7)]

    def test_ip_options_are_skipped(self, wire, carrier):
        head = pack("!BBHHHBBHII", 0x47, 0, 28 + 12, 7, 0, 64, 47, 0, PEER, US) + b"\x01" * 8
        head = head[:10] + pack("!H", checksum(head)) + head[12:]
        wire.inject(head + gre(7))
        assert [each.payload for each in carrier.receive()] == [gre(7)]

    @pytest.mark.parametrize("at", [8, 800])
    def test_fragments_arrive_once_and_whole(self, wire, carrier, at):
        whole = gre(7, 1, bytes(range(256)) * 5)
        wire.inject(*fragments(whole, at), packet(gre(7, 2)))
        assert [each.payload for each in carrier.receive()] == [whole, gre(7, 2)]
        wire.inject(*reversed(fragments(whole, at, identification=8)))
        assert [each.payload for each in carrier.receive()] == [whole]

    def test_what_the_network_cut_arrives_whole(self, wire, carrier):
        wire.peer.ip("link set us0 mtu 700")
        payload = gre(7, 1, bytes(range(256)) * 6)
        wire.port.send(payload, US, PEER)
        assert [each.payload for each in carrier.receive()] == [payload]

    @pytest.mark.parametrize("length", [2100, 9000])
    def test_a_packet_that_is_too_long_is_told_with_its_length(self, wire, carrier, length):
        for namespace, device in ((wire.us, "peer0"), (wire.peer, "us0")):
            namespace.ip(f"link set {device} mtu 9100")
        wire.port.send(gre(7, 1, bytes(length)), US, PEER)
        wire.port.send(gre(7, 2), US, PEER)
        assert [each.length for each in carrier.receive()] == [length + 12, 12]

    def test_a_fragmented_packet_that_is_too_long_is_told_with_its_length(self, wire, carrier):
        wire.port.send(gre(7, 1, bytes(20000)), US, PEER)
        assert [each.length for each in carrier.receive()] == [20012]

    @pytest.mark.parametrize(
        "wrong",
        [
            packet(gre(7), sum=0x1234),
            packet(gre(7), version=0x55),
            packet(gre(7), version=0x44),
            packet(gre(7), version=0x4F),
            packet(gre(7), total=19),
            packet(gre(7), total=100),
            packet(gre(7))[:19],
            packet(gre(7), protocol=48),
            packet(gre(7), destination=OTHER),
        ],
        ids=["checksum", "version", "short header", "long header", "short", "long", "cut", "protocol", "destination"],
    )
    def test_what_the_ip_stack_would_drop_is_dropped(self, wire, carrier, wrong):
        wire.inject(wrong, packet(gre(7, 2)))
        assert [each.payload for each in carrier.receive() if each.destination == US] == [gre(7, 2)]

    @pytest.mark.parametrize(
        "odd",
        [b"", b"\x30", bytes(7), pack("!HHHHI", 0x3000, 0x880B, 0, 7, 0), pack("!HHHHI", 0x3001, 0x0800, 0, 7, 0)],
        ids=["empty", "one octet", "seven octets", "version", "protocol type"],
    )
    def test_gre_that_is_not_ours_comes_by_the_raw_socket_to_be_counted(self, wire, carrier, odd):
        wire.inject(packet(odd))
        assert [each.payload for each in carrier.receive()] == [odd]
        assert carrier.totals == {"received_raw": 1}
        assert wire.answers() == []

    def test_a_frame_for_another_station_is_not_taken(self, wire, carrier):
        wire.us.ip("link set peer0 promisc on")
        wire.inject(packet(gre(7)), to=b"\x02\0\0\0\0\x09")
        assert carrier.receive() == []

    @pytest.mark.parametrize(("number", "taken"), [(0, True), (6, False)], ids=["priority only", "VLAN 6"])
    def test_a_tagged_frame_is_another_device_s(self, wire, carrier, number, taken):
        wire.inject(packet(gre(7)), tag=pack("!HH", 0x8100, number | 0xE000))
        assert [each.payload for each in carrier.receive()] == [gre(7)] * taken

    def test_a_flood_beyond_what_the_system_holds_loses_some_and_goes_on(self, wire, carrier):
        for each in range(3000):
            wire.port.send(gre(7, each), US, PEER)
        assert 2000 <= len(carrier.receive(3000)) <= 3000
        wire.port.send(gre(7, 9999), US, PEER)
        assert [each.payload for each in carrier.receive()] == [gre(7, 9999)]

    def test_a_device_that_goes_down_and_up_is_heard_again(self, wire, carrier):
        wire.us.ip("link set peer0 down")
        assert carrier.receive() == []
        assert not carrier.wait(), "an error keeps the descriptor readable"
        wire.us.ip("link set peer0 up")
        assert wire.peer.ping("10.5.0.1")
        wire.port.send(gre(7), US, PEER)
        assert [each.payload for each in carrier.receive()] == [gre(7)]


class RingTests:
    """What is special to rings."""

    def test_a_tagged_frame_belongs_to_the_device_of_its_vlan(self, wire):
        parent, tagged = wire.carrier(), wire.carrier()
        command = "ip link add link peer0 name vlan5 type vlan id 5"
        if wire.us.run(*command.split(), check=False).returncode:
            pytest.skip("not on this machine: this kernel has no VLAN devices")
        wire.us.ip("link set vlan5 up")
        wire.us.ip("addr add 10.5.5.1/24 dev vlan5")
        assert parent.open_ring("peer0") == tagged.open_ring("vlan5") == 0
        for tag in (5, 6):
            wire.inject(packet(gre(tag)), tag=pack("!HH", 0x8100, tag))
        assert [each.payload for each in tagged.receive()] == [gre(5)]
        assert tagged.totals == {"received_ring": 1}
        parent.receive()
        assert "received_ring" not in parent.totals

    def test_a_ring_is_opened_once_and_closed_once(self, wire):
        carrier = wire.carrier()
        assert carrier.open_ring("peer0") == carrier.open_ring("peer0") == 0
        assert len(carrier.watched()) == 2
        assert carrier.close_ring("peer0") == 0
        assert carrier.close_ring("peer0") < 0
        assert len(carrier.watched()) == 1

    def test_four_devices_have_rings_and_a_fifth_does_not(self, wire):
        carrier = wire.carrier()
        for each in range(5):
            wire.us.ip(f"link add one{each} type veth peer name other{each}")
        assert [carrier.open_ring(f"one{each}") for each in range(4)] == [0] * 4
        assert carrier.open_ring("one4") < 0
        assert carrier.close_ring("one1") == 0
        assert carrier.open_ring("one4") == 0

    def test_an_index_of_no_device_opens_nothing(self, wire):
        carrier = wire.carrier()
        with wire.us.inside():
            assert carrier.made.lib.carrier_open_ring(carrier.carrier, 4711) < 0
            assert carrier.made.lib.carrier_open_ring(carrier.carrier, 0) < 0
        assert len(carrier.watched()) == 1

    def test_what_a_closed_ring_holds_still_arrives_and_then_it_is_gone(self, wire):
        carrier = wire.carrier()
        carrier.open_ring("peer0")
        wire.port.send(gre(7, 1), US, PEER)
        assert carrier.wait()
        assert carrier.close_ring("peer0") == 0
        wire.port.send(gre(7, 2), US, PEER)
        assert [each.payload for each in carrier.receive()] == [gre(7, 1), gre(7, 2)]
        assert carrier.totals == {"received_ring": 1, "received_raw": 1}
        assert len(carrier.watched()) == 1

    def test_two_processes_each_get_fragments(self, wire):
        one, other = wire.carrier(), wire.carrier()
        assert one.open_ring("peer0") == other.open_ring("peer0") == 0
        whole = gre(7, 1, bytes(1400))
        wire.inject(*fragments(whole, 800))
        for carrier in (one, other):
            assert [each.payload for each in carrier.receive()] == [whole]
            assert carrier.totals == {"received_ring": 1}

    def test_nothing_is_lost_while_the_road_changes_under_traffic(self, wire):
        carrier = wire.carrier()
        total = 6000
        sent = threading.Event()

        def send():
            for each in range(total):
                wire.port.send(gre(7, each), US, PEER)
            sent.set()

        sender = threading.Thread(target=send)
        sender.start()
        arrived: Counter[int] = Counter()
        changes = 0
        while not sent.is_set() or carrier.wait():
            (carrier.close_ring if changes % 2 else carrier.open_ring)("peer0")
            changes += 1
            for _ in range(20):
                arrived.update(unpack_from("!I", each.payload, 8)[0] for each in carrier.receive(64))
                if sum(arrived.values()) >= total * 2 or not carrier.wait():
                    break
        sender.join()
        arrived.update(unpack_from("!I", each.payload, 8)[0] for each in carrier.receive(9999))
        assert changes > 2
        assert set(arrived) == set(range(total))
        # What arrives while both roads are open arrives twice; the window drops one. It is no more than that.
        assert max(arrived.values()) <= 2
        assert wire.answers() == []


class ShardTests:
    """Several threads: each takes its share of the Call IDs, by either road."""

    @pytest.mark.parametrize("ring", [False, True], ids=["raw", "ring"])
    def test_each_takes_its_share_once(self, wire, ring):
        carrier = wire.carrier(3)
        if ring:
            assert carrier.open_ring("peer0") == 0
        for call_id in range(30):
            wire.port.send(gre(call_id), US, PEER)
            wire.inject(*fragments(gre(call_id + 30, 1, bytes(1400)), 800, identification=call_id))
        for shard in range(3):
            found = sorted(unpack_from("!H", each.payload, 6)[0] for each in carrier.receive(shard=shard))
            assert found == [each for each in range(60) if each % 3 == shard]
        assert carrier.totals == {"received_ring" if ring else "received_raw": 60}

    def test_what_has_no_call_id_is_counted_once(self, wire):
        carrier = wire.carrier(3)
        wire.inject(packet(b"\x30\x01\x88\x0b"))
        assert [len(carrier.receive(shard=shard)) for shard in range(3)] == [1, 0, 0]


class SendTests:
    """By raw socket or as Ethernet frames."""

    @pytest.fixture(params=["raw", "ethernet"])
    def route(self, request, wire):
        if request.param == "raw":
            return (0, 0, bytes(14))
        with wire.us.inside():
            return (socket.if_nametoindex("peer0"), 1500, wire.header)

    def test_all_arrive_in_order_from_the_address_asked_for(self, wire, route):
        wire.us.ip("addr add 10.5.0.77/24 dev peer0")
        local = number("10.5.0.77")
        carrier = wire.carrier()
        sent = [gre(7, each, bytes(each * 7)) for each in range(200)]
        assert carrier.send(*sent, local=local, route=route) == [True] * 200
        arrived = [each for _ in range(5) for each in wire.port.receive()]
        assert [each.payload for each in arrived] == sent
        assert {(each.source, each.destination) for each in arrived} == {(local, PEER)}
        assert carrier.totals == {"sent_ethernet" if route[0] else "sent_raw": 200}

    def test_the_headers_are_those_the_kernel_writes(self, wire, route):
        carrier = wire.carrier()
        carrier.send(gre(7), gre(8), route=route)
        first, second = wire.sniffer.recv(2000), wire.sniffer.recv(2000)
        for each in (first, second):
            assert checksum(each[:20]) == 0
            assert each[:4] == pack("!BBH", 0x45, 0, 32)
            assert each[6:10] == pack("!HBB", 0, 64, 47)
        assert first[4:6] != second[4:6]

    def test_the_socket_s_wishes_hold_for_frames_too(self, wire, route):
        with wire.us.inside():
            port = RawGrePort(dont_fragment=True)
        port._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 9)
        port._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)
        carrier = wire.carrier()
        with wire.us.inside():
            carrier.made.lib.carrier_attach_raw(carrier.carrier, 0, port.fileno())
        carrier.send(gre(7), route=route)
        header = wire.sniffer.recv(2000)
        assert (header[1], header[6], header[8]) == (0x28, 0x40, 9)
        port.close()

    def test_what_is_longer_than_the_route_takes_goes_by_the_raw_socket(self, wire):
        carrier = wire.carrier()
        with wire.us.inside():
            route = (socket.if_nametoindex("peer0"), 1400, wire.header)
        sent = [gre(7, each, bytes(length)) for each, length in enumerate((1368, 1369, 1800, 5))]
        assert carrier.send(*sent, route=route) == [True] * 4
        assert [each.payload for each in wire.port.receive()] == sent
        assert carrier.totals == {"sent_ethernet": 2, "sent_raw": 2}

    def test_one_packet_that_cannot_go_takes_no_other_with_it(self, wire, route):
        carrier = wire.carrier()
        wire.us.nft("table ip t { chain c { type filter hook output priority 0; meta length 57 drop; }; }")
        sent = [gre(7, each, bytes(25 if each % 3 == 0 else 5)) for each in range(90)]
        taken = carrier.send(*sent, route=route)
        arrived = [each.payload for _ in range(3) for each in wire.port.receive()]
        if route[0]:
            assert arrived == sent  # beside the firewall
        else:
            assert taken == [bool(each % 3) for each in range(90)]
            assert arrived == [each for each, was in zip(sent, taken, strict=True) if was]
            assert carrier.totals == {"sent_raw": 60, "outside_full": 30}

    def test_no_way_at_all_is_lost_and_said(self, wire, route):
        carrier = wire.carrier()
        wire.us.ip("link set peer0 down")
        assert carrier.send(gre(7), gre(8), route=route) == [False, False]
        assert carrier.totals == {"outside_full": 2}

    def test_a_device_that_is_gone_leaves_it_to_the_raw_socket(self, wire):
        carrier = wire.carrier()
        assert carrier.send(gre(7), route=(4711, 1500, wire.header)) == [True]
        assert [each.payload for each in wire.port.receive()] == [gre(7)]
        assert carrier.totals == {"sent_raw": 1}

    def test_a_full_queue_drops_and_never_waits(self, wire, route):
        carrier = wire.carrier()
        command = "tc qdisc add dev peer0 root tbf rate 1mbit burst 3000 limit 15000"
        wire.us.run(*command.split())
        taken = [each for _ in range(10) for each in carrier.send(*[gre(7, 0, bytes(1400))] * 64, route=route)]
        # The raw socket does not say what the queue dropped.
        assert not route[0] or 2 <= taken.count(True) < 640
        assert 2 <= len(wire.port.receive(640)) < 100
