"""A data path for looking only: it carries control frames, and keeps proofs of a password to itself."""

from openpptp.daemon.reference import ReferenceDataPath
from openpptp.errors import BadMessage
from openpptp.wire.notation import PROVING
from openpptp.wire.ppp import decode_frame


class ProbingDataPath(ReferenceDataPath):
    """The reference data path without an inside."""

    proving: int | None = None
    "Our Call ID on which proofs may leave, since a log-in was asked for; None: on none."

    def send_frame(self, call_id: int, frame: bytes) -> None:
        """Send a control-protocol frame; what would prove us leaves for a log-in only."""
        try:
            protocol, _ = decode_frame(frame)
        except BadMessage:
            return
        if protocol not in PROVING or call_id == self.proving:
            super().send_frame(call_id, frame)
