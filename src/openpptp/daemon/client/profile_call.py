"""The keys of a profile that say what the call is asked for with."""

from typing import Annotated, Literal

from pydantic import Field

from openpptp.daemon.sections import Section
from openpptp.daemon.values import Whole
from openpptp.datapath.window import MAX_WINDOW, WINDOW
from openpptp.tunnel.settings import Dialling
from openpptp.wire.control import Bearer, Framing

HIGHEST_SPEED = (1 << 32) - 1
BearerWord = Literal["any", "analog", "digital"]
BEARERS = {"any": Bearer.ANALOG | Bearer.DIGITAL, "analog": Bearer.ANALOG, "digital": Bearer.DIGITAL}
FramingWord = Literal["any", "async", "sync"]
FRAMINGS = {
    "any": Framing.ASYNCHRONOUS | Framing.SYNCHRONOUS,
    "async": Framing.ASYNCHRONOUS,
    "sync": Framing.SYNCHRONOUS,
}
Number = Annotated[str, Field(strict=True, max_length=64)]


class CallSection(Section):
    """What the call is asked for with; servers look at hardly any of it, some carrier modems do."""

    phone_number: Number = Field(default="", description="Number to dial.", examples=["RELAY_PPP1"])
    subaddress: Number = Field(default="", description="Subaddress to dial.")
    bearer: BearerWord = Field(default="any", description='Kind of line: "analog", "digital" or "any".')
    framing: FramingWord = Field(default="any", description='Framing on that line: "async", "sync" or "any".')
    minimum_bps: Whole = Field(default=300, ge=0, le=HIGHEST_SPEED, description="Least speed, in bits per second.")
    maximum_bps: Whole = Field(
        default=100_000_000, ge=0, le=HIGHEST_SPEED, description="Highest speed, in bits per second."
    )
    receive_window: Whole = Field(
        default=WINDOW,
        ge=2,
        le=MAX_WINDOW,
        description="Packets the server may send until we acknowledge, which we do after half of them, and in any case "
        "after 100 ms. An mpd that keeps windows sends 16 at most: 16 here spares it from waiting.",
    )

    def dialling(self) -> Dialling:
        """Return what the call is asked for with."""
        bearer, framing = BEARERS[self.bearer], FRAMINGS[self.framing]
        speeds = self.minimum_bps, self.maximum_bps
        return Dialling(self.phone_number, self.subaddress, bearer, framing, *speeds)
