"""Doors to the network that a program has opened itself, or keeps in memory, in the place of data_path.Doors."""

import asyncio
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from openpptp.daemon.guarded import Broken, ignored
from openpptp.daemon.reference import ReferenceDataPath
from openpptp.datapath.seam import DataPath, EncryptionLost, FrameReceived
from openpptp.datapath.window import WINDOW
from openpptp.net.ports import GrePort, TunDevice


@dataclass(frozen=True, slots=True)
class Ports:
    """Where GRE and where inside packets leave and enter (net/ports.py); whoever is given them closes them.

    Without tun the program that gives them exchanges the inside packets itself, as octets.
    """

    gre: GrePort
    tun: TunDevice | None = None

    def open_data_path(
        self,
        log: FilteringBoundLogger,
        *,
        frame_received: FrameReceived,
        encryption_lost: EncryptionLost,
        broken: Broken = ignored,
        receive_window: int = WINDOW,
    ) -> DataPath:
        """Put the reference data path between them; its user closes it, before these are closed."""
        return ReferenceDataPath(
            self.gre,
            self.tun,
            frame_received=frame_received,
            encryption_lost=encryption_lost,
            loop=asyncio.get_running_loop(),
            broken=broken,
            receive_window=receive_window,
            log=log,
        )

    def close(self) -> None:
        """Close both for good."""
        self.gre.close()
        if self.tun is not None:
            self.tun.close()
