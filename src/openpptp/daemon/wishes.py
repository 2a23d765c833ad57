"""Which data path is wanted and how it is to be run: words of settings and options."""

from dataclasses import dataclass
from typing import Literal

from openpptp.datapath.window import WINDOW

DataPathWord = Literal["auto", "engine", "reference"]
CarrierWord = Literal["auto", "raw", "ring"]
MOST_THREADS = 64  # engine.c: SHARDS_MOST


@dataclass(frozen=True, slots=True)
class DataPathWishes:
    """What a person may choose of a data path; the defaults choose by what the host offers."""

    kind: DataPathWord = "auto"
    carrier: CarrierWord = "auto"
    "How the engine exchanges GRE with the host."
    threads: int = 0
    "Of the engine, in each direction; 0: by the number of processors."
    receive_window: int = WINDOW
    "Packets a peer may send until we acknowledge; we do so after half of them, and after a tenth of a second."
