"""Sentences that server and client both say."""

INSECURE = (
    "PPTP is not secure: whoever records a log-in can compute what is as good as the password and read the traffic, "
    "also later; keep no secret in it (SECURITY.md says more)"
)


def encryption(key_bits: int | None) -> str:
    """Say how data is protected."""
    return "none: data goes in clear" if key_bits is None else f"MPPE {key_bits} bit"
