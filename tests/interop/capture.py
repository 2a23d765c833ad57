"""What was on the wire, judged by tshark."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import tshark
from tests.netns import programs
from tests.netns.namespace import Namespace

FAULTS = "_ws.malformed || _ws.expert.severity == 0x00800000"  # wireshark's PI_ERROR


@dataclass(frozen=True, slots=True)
class Capture:
    """Packets of one test, whole, but without the long ones of its bulk transfers."""

    file: Path

    def shows(self, display_filter: str) -> list[str]:
        """Return one line for each packet that the filter picks."""
        names = ("frame.number", "_ws.col.Protocol", "_ws.col.Info", "_ws.expert.message")
        return ["\t".join(row) for row in tshark.fields(self.file, display_filter, *names)]

    def faults_of(self, address: str) -> list[str]:
        """Return what tshark finds malformed or in error in what an address sent."""
        return self.shows(f"({FAULTS}) && ip.src == {address}")


@contextlib.contextmanager
def capturing(namespace: Namespace, folder: Path, interface: str) -> Iterator[Capture]:
    """Record what passes an interface; the capture is complete afterwards."""
    file = folder / "wire.pcap"
    with programs.capturing(namespace, interface, file, "less 400"):
        yield Capture(file)
