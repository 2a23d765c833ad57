"""Sentences that server and client both say."""

from dataclasses import asdict

from openpptp.datapath.seam import Counters

WENT_WRONG = ("lost", "late_", "dropped_")

INSECURE = (
    "PPTP is not secure: whoever records a log-in can compute what is as good as the password and read the traffic, "
    "also later; keep no secret in it (SECURITY.md says more)"
)


def encryption(key_bits: int | None) -> str:
    """Say how data is protected."""
    return "none: data goes in clear" if key_bits is None else f"MPPE {key_bits} bit"


def losses(counters: Counters) -> dict[str, int]:
    """Name what of a call's packets did not pass, or only late; what is 0 is left out."""
    return {name: count for name, count in asdict(counters).items() if count and name.startswith(WENT_WRONG)}
