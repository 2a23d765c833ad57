"""Chooses the data path, and opens its doors to the network the way it needs them."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from ipaddress import IPv4Address
from typing import Any

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.engine import EngineDataPath
from openpptp.daemon.guarded import Broken, ignored
from openpptp.daemon.reference import ReferenceDataPath
from openpptp.daemon.wishes import DataPathWishes, DataPathWord
from openpptp.datapath.seam import DataPath, EncryptionLost, FrameReceived
from openpptp.errors import SetupError
from openpptp.net import engine
from openpptp.net.gre import RawGrePort
from openpptp.net.tun import Tun, open_node

FEW_PROCESSORS = 3  # ours: one thread each way leaves one of them for everything else
MOST_BY_ITSELF = 4  # ours: more threads each way are an administrator's choice


class Doors:
    """The raw sockets, the TUN device and the data path between them; what it opens, its stack closes."""

    def __init__(
        self, wishes: DataPathWishes, log: FilteringBoundLogger, undo: AsyncExitStack, *, broken: Broken = ignored
    ) -> None:
        """Choose; raises SetupError when the wish cannot be granted. broken hears when packets are read no more."""
        self._broken = broken
        self._wishes = wishes
        self._log = log
        self._undo = undo
        self._native = has_engine(wishes.kind, log)
        self._threads = (wishes.threads or threads_for(len(os.sched_getaffinity(0)))) if self._native else 1
        self._gre: list[RawGrePort] = []
        self._nodes: list[int] = []
        self._tun: Tun

    def open_gre(self, bind: IPv4Address | None = None, *, mark: int | None = None) -> None:
        """Open the raw sockets, for what is sent to one of our addresses or to all; mark is a firewall mark."""
        for _ in range(self._threads):
            port = RawGrePort(bind, mark=mark)
            self._undo.callback(port.close)
            self._gre.append(port)

    def open_nodes(self, opening: Callable[[], int] | None = None) -> None:
        """Open what the TUN device is made of, where only root may; or have it opened, in another namespace."""
        for _ in range(self._threads):
            self._nodes.append((opening or open_node)())
        self._undo.callback(self._close_nodes)

    def _close_nodes(self) -> None:
        while self._nodes:
            os.close(self._nodes.pop())

    def open_tun(self, name: str) -> Tun:
        """Make the TUN device."""
        how: dict[str, Any] = {"offload": True, "queues": self._threads} if self._native else {}
        if self._nodes:
            how["opened"], self._nodes = self._nodes, []
        self._tun = Tun(name, **how)
        self._undo.callback(self._tun.close)
        return self._tun

    def open_data_path(self, *, frame_received: FrameReceived, encryption_lost: EncryptionLost) -> DataPath:
        """Put the data path between them, and say which; its user closes it, before the stack is undone."""
        loop = asyncio.get_running_loop()
        if not self._native:
            self._log.info("data path", kind="reference")
            return ReferenceDataPath(
                self._gre[0],
                self._tun,
                frame_received=frame_received,
                encryption_lost=encryption_lost,
                loop=loop,
                broken=self._broken,
                receive_window=self._wishes.receive_window,
                log=self._log,
            )
        path = EngineDataPath(
            self._gre,
            self._tun.filenos,
            merges_udp=self._tun.merges_udp,
            frame_received=frame_received,
            encryption_lost=encryption_lost,
            loop=loop,
            carrier=self._wishes.carrier,
            broken=self._broken,
            receive_window=self._wishes.receive_window,
            log=self._log,
        )
        self._log.info(
            "data path",
            kind="engine",
            processor=engine.features(),
            carrier=self._wishes.carrier,
            threads=2 * self._threads,
        )
        return path


def has_engine(kind: DataPathWord, log: FilteringBoundLogger) -> bool:
    """Return whether the engine is to carry the data; raise SetupError when it is asked for and not there."""
    if kind == "reference":
        return False
    if engine.available():
        return True
    if kind == "engine":
        raise SetupError(engine.why_not(), exit_code=3)
    log.warning(f"data packets go the slow way, through Python: {engine.why_not()}")
    return False


def threads_for(processors: int) -> int:
    """Return how many threads the engine gets in each direction."""
    return 1 if processors <= FEW_PROCESSORS else min(MOST_BY_ITSELF, processors // 2)


def describe(path: DataPath) -> dict[str, Any]:
    """Return for JSON what carries the packets, and what belonged to no call or to all."""
    match path:
        case EngineDataPath():
            totals = path.engine.totals()
            return {"kind": "engine", "processor": engine.features(), "threads": 2 * path.engine.shards} | {
                "totals": totals
            }
        case ReferenceDataPath():
            totals = {"unknown": path.unknown_packets(), "malformed": path.malformed}
            return {"kind": "reference", "totals": totals | {"unrouted": path.unrouted_packets}}
    return {"kind": "none", "totals": {"unknown": path.unknown_packets()}}
