"""The error numbers Windows shows when a connection fails, and what each means where the connection is PPTP.

Numbers and names are raserror.h's and mprerror.h's; ras_table.py has the text. Causes stand in order of likelihood.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RasError:
    """One number."""

    name: str
    "Microsoft's constant."
    says: str
    "What Windows says, in short."
    means: str
    "What that is in PPTP."
    causes: tuple[str, ...]
    remedy: str

    def facts(self, number: int) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "error": number,
            "name": self.name,
            "says": self.says,
            "means": self.means,
            "causes": list(self.causes),
            "remedy": self.remedy,
        }


def explain(number: int, error: RasError) -> list[str]:
    """Return it in lines for a person."""
    return [
        f"error {number}  {error.name}: {error.says}",
        f"in PPTP    {error.means}",
        *(f"{'causes' if place == 1 else '':9}  {place}. {cause}" for place, cause in enumerate(error.causes, start=1)),
        f"remedy     {error.remedy}",
    ]
