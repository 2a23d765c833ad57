"""The engine against the reference: the same packets in, the same packets, counters and signals out.

OPENPPTP_DIFFERENTIAL_STEPS says how many steps each conversation has (default 150).
"""

import os
from collections import defaultdict
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from random import Random

import pytest
from tests import pcap
from tests.datapath.test_clamp import any_syn
from tests.native.whole import NativeWhole, ReferenceWhole, Result

from openpptp.credentials import Encryption
from openpptp.datapath.path import Path, Way
from openpptp.datapath.seam import Inside, Rate
from openpptp.errors import BadMessage
from openpptp.wire import gre

STEPS = int(os.environ.get("OPENPPTP_DIFFERENTIAL_STEPS", "150"))
OURS = 0x0A630001
PAUSES = (0.0, 0.0, 0.0005, 0.003, 0.01, 0.06, 0.11, 0.4, 70.0)
LITTLE = pcap.ipv4("192.0.2.1", "10.91.0.254", 17, b"")
FRAMES = (b"\xff\x03\xc0\x21\x09\x01\x00\x08\x01\x02\x03\x04", b"\x80\x21\x01\x01\x00\x04", b"\xc0\x21\x05\x01\x00\x04")


class Far:
    """The far end of one call: a path of the reference with the keys turned round."""

    def __init__(self, call_id: int, luck: Random) -> None:
        self.call_id = call_id
        self.address = 0x0A630100 + luck.randrange(3)
        self.peer_call_id = luck.choice([0, 7, 65535])
        self.number = luck.randrange(200)
        self.luck = luck
        self.path = Path(first_sequence=luck.choice([0, 1, 0xFFFFFFF0, 77]))
        self.path.connect(call_id)
        self.under_way: list[bytes] = []
        self.encryption: tuple[Encryption, Encryption] | None = None
        if luck.random() < 0.8:
            bits, stateful = luck.choice([40, 56, 128, 128]), luck.random() < 0.25
            one, two = (Encryption(luck.randbytes(16 if bits == 128 else 8), bits, stateful) for _ in range(2))
            self.encryption = one, two
            self.path.encryption_up(two, one)
        self.identifier = luck.choice([None, luck.randbytes(8)])
        self.path.interface_up(Inside(1500, (), False, False, False, bytes(8)))
        self.own = IPv4Address(f"10.91.0.{self.number}")
        self.behind = IPv4Network(f"10.{100 + self.number % 3}.0.0/{luck.choice([16, 17, 24])}")

    def inside(self) -> Inside:
        """Return what our side is told about this call."""
        luck = self.luck
        rates = [
            None if luck.random() < 0.8 else Rate(luck.randrange(8000, 10**7), luck.choice([0, 3000])) for _ in "io"
        ]
        how = Inside(
            luck.choice([1400, 576, 1496, 68]),
            () if luck.random() < 0.1 else (self.own,),
            self.encryption is not None and luck.random() < 0.8,
            luck.random() < 0.5,
            luck.random() < 0.5,
            self.identifier,
        )
        return replace(
            how,
            routed_ipv4=(self.behind,) if luck.random() < 0.4 else (),
            rate_in=rates[0],
            rate_out=rates[1],
            clamp_segment_size=luck.random() < 0.8,
        )

    def send(self, now: float) -> None:
        """Put some packets on their way, very seldom after many that are lost."""
        if self.luck.random() < 0.002:
            for _ in range(self.luck.choice([3000, 9000, 20_000])):
                self.path.encapsulate(LITTLE, now)
        for _ in range(self.luck.choice([1, 2, 5, 40, 70])):
            if self.luck.random() < 0.1:
                items = self.path.encapsulate_frame(self.luck.choice(FRAMES))
            else:
                items = self.path.encapsulate(self.packet(), now)
            self.under_way += [octets for way, octets in items if way is Way.OUTSIDE]

    def packet(self) -> bytes:
        luck = self.luck
        source = str(luck.choice([self.own, self.own, self.own, self.behind[5], IPv4Address("192.0.2.1")]))
        size = luck.choice([0, 1, 40, 500, 1380])
        if luck.random() < 0.1:
            return any_syn(luck, source, "10.91.0.254")
        if luck.random() < 0.1:
            header = bytes((0x60, 0, 0, 0)) + size.to_bytes(2, "big") + bytes((luck.choice([17, 58, 0]), 64))
            link_local = b"\xfe\x80" + bytes(6)
            return header + link_local + (self.identifier or bytes(8)) + link_local + bytes(8) + luck.randbytes(size)
        return pcap.ipv4(source, "10.91.0.254", 17, luck.randbytes(size)) + bytes(luck.choice([0, 0, 3]))

    def arriving(self) -> list[bytes]:
        """Return what arrives next: some lost, doubled, late, damaged or forged."""
        luck, arriving = self.luck, []
        for packet in self.under_way:
            fate = luck.random()
            if fate < 0.03:
                continue
            if fate < 0.06:
                arriving.append(packet)
            arriving.append(self._damaged(packet) if fate < 0.09 else packet)
            if fate > 0.97:
                arriving.append(self._forged(packet))
        self.under_way = []
        for _ in range(luck.choice([0, 0, len(arriving) // 10, len(arriving)])):
            place = luck.randrange(len(arriving))
            arriving.insert(min(len(arriving), place + luck.choice([1, 3, 8, 60])), arriving.pop(place))
        held = luck.choice([0, 0, 0, 3])
        self.under_way, arriving = arriving[len(arriving) - held :] if held else [], arriving[: len(arriving) - held]
        return arriving

    def _damaged(self, packet: bytes) -> bytes:
        octets = bytearray(packet)
        for _ in range(self.luck.choice([1, 1, 4])):
            if octets:
                place = self.luck.randrange(min(len(octets), self.luck.choice([24, 2000])))
                octets[place] ^= 1 << self.luck.randrange(8)
        return bytes(octets[: self.luck.choice([len(octets), len(octets), self.luck.randrange(len(octets) + 1)])])

    def _forged(self, packet: bytes) -> bytes:
        try:
            _, sequence, _, payload = gre.decode(packet)
        except BadMessage:  # damaged on its first way, which was too slow
            sequence, payload = 0, b""
        jump = self.luck.choice([1, 5, 500, 2000, 2047, 2048, 4096, 1 << 31])
        word = self.luck.randrange(65536) | 0x9000
        body = self.luck.choice(
            [payload, b"\x00\xfd" + word.to_bytes(2, "big") + self.luck.randbytes(60), b"", b"\x21"]
        )
        number = ((sequence or 0) + self.luck.choice([-jump, jump])) % (1 << 32)
        return gre.encode(self.call_id, body, number, self.luck.choice([None, number]))


class Conversation:
    """One random conversation of several calls, run with both."""

    def __init__(self, seed: int) -> None:
        self.luck = Random(seed)
        self.both = ReferenceWhole(), NativeWhole()
        self.far: dict[int, Far] = {}
        self.now = 1000.0

    def run(self, steps: int) -> None:
        choices = [self.outside] * 8 + [self.inside] * 8 + [self.pause] * 4 + [self.open, self.change, self.frame]
        self.open()
        for _ in range(steps):
            self.luck.choice(choices)()
            for call_id in self.far:
                ours, theirs = (whole.counters(call_id) for whole in self.both)
                assert ours == theirs, call_id
            assert self.both[0].totals() == self.both[1].totals()
        for call_id in list(self.far):
            self.close(call_id)
        self.both[1].free()

    def ask(self, what: str, *arguments: object) -> None:
        for whole in self.both:
            getattr(whole, what)(*arguments)

    def compare(self, what: str, *arguments: object, in_order: bool = True) -> list[Result]:
        expected, found = (getattr(whole, what)(*arguments) for whole in self.both)
        if not in_order:
            expected, found = (
                sorted(expected, key=lambda result: result[1]),
                sorted(found, key=lambda result: result[1]),
            )
        for position, (one, other) in enumerate(zip(expected, found, strict=False)):
            assert one == other, (what, position)
        assert len(expected) == len(found), what
        return expected

    def open(self) -> None:
        call_id = self.luck.randrange(65536)
        if call_id in self.far or len(self.far) == 6:
            return
        far = self.far[call_id] = Far(call_id, self.luck)
        self.ask("open", call_id, far.address, OURS)
        if self.luck.random() < 0.9:
            self.up(call_id)

    def up(self, call_id: int) -> None:
        far = self.far[call_id]
        self.ask("connect", call_id, far.peer_call_id)
        if far.encryption is not None:
            self.ask("encryption_up", call_id, *far.encryption)
            far.path.encryption_up(*reversed(far.encryption))
        self.ask("interface_up", call_id, far.inside())

    def close(self, call_id: int) -> None:
        del self.far[call_id]
        last = [whole.close(call_id) for whole in self.both]
        assert last[0] == last[1]

    def change(self) -> None:
        if not self.far:
            return
        call_id = self.luck.choice(list(self.far))
        what = self.luck.choice(["up", "close", "interface_down", "encryption_down", "encryption_flush"])
        if what in ("up", "close"):
            getattr(self, what)(call_id)
        else:
            self.ask(what, call_id)

    def frame(self) -> None:
        for call_id, far in self.far.items():
            self.to_far(self.compare("send_frame", call_id, self.luck.choice(FRAMES)), far)

    def pause(self) -> None:
        self.now += self.luck.choice(PAUSES)
        self.settle(self.compare("tick", self.now, in_order=False))

    def outside(self) -> None:
        datagrams = []
        for far in self.far.values():
            far.send(self.now)
            datagrams += [(far.address + (self.luck.random() < 0.01), packet) for packet in far.arriving()]
        if self.luck.random() < 0.5:
            datagrams = datagrams[::2] + datagrams[1::2]
        self.settle(self.compare("take_outside", datagrams, self.now))

    def inside(self) -> None:
        packets = []
        for _ in range(self.luck.choice([1, 3, 30, 130])):
            far = self.luck.choice(list(self.far.values()) or [Far(1, self.luck)])
            to = str(self.luck.choice([far.own, far.own, far.own, far.behind[9], IPv4Address("198.51.100.7")]))
            size = self.luck.choice([0, 20, 500, 1376, 1377, 1472, 3000])
            packet = pcap.ipv4("10.91.0.254", to, self.luck.choice([1, 17]), self.luck.randbytes(size))
            if self.luck.random() < 0.1:
                packet = any_syn(self.luck, "10.91.0.254", to)
            if self.luck.random() < 0.3:
                packet = packet[:6] + b"\x40" + packet[7:]
            if self.luck.random() < 0.05:
                packet = packet[: self.luck.randrange(1, 24)]
            packets.append(packet)
        self.settle(self.compare("take_inside", packets, self.now))

    def settle(self, results: list[Result]) -> None:
        by_call: dict[int, list[Result]] = defaultdict(list)
        for result in results:
            by_call[result[1]].append(result)
        for call_id, found in by_call.items():
            if call_id in self.far:
                self.to_far(found, self.far[call_id])

    def to_far(self, results: list[Result], far: Far) -> None:
        for way, _, octets in results:
            if way is Way.OUTSIDE:
                items = far.path.decapsulate(*gre.decode(octets)[1:], self.now)
                if any(item[0] is Way.LOST_STEP for item in items) and self.luck.random() < 0.8:
                    self.ask("encryption_flush", far.call_id)
            elif way is Way.LOST_STEP and self.luck.random() < 0.8:
                far.path.encryption_flush()


class DifferentialTests:
    """Whatever happens to the packets, both data paths do the same."""

    @pytest.mark.parametrize("seed", range(12))
    def test_engine_and_reference_do_the_same(self, seed):
        Conversation(seed).run(STEPS)
