"""How octets of a peer become text that is safe in a log: hexadecimal, and quoted strings as pppd writes them."""

HEX_LIMIT = 32  # octets pppd shows of what it does not understand
TEXT_LIMIT = 256  # ours: a peer's text may fill a packet, a log line should not

_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


def tail(octets: bytes) -> str:
    """Return ` 0a 0b` for octets nobody explained; empty for none, cut with ` ...` when there are many."""
    shown = "".join(f" {octet:02x}" for octet in octets[:HEX_LIMIT])
    return f"{shown} ..." if len(octets) > HEX_LIMIT else shown


def quote(text: bytes) -> str:
    """Return text in quotes with everything outside printable ASCII escaped, as pppd's print_string does."""
    shown = "".join(
        _ESCAPES.get(octet) or (chr(octet) if 0x20 <= octet <= 0x7E else f"\\{octet:03o}")
        for octet in text[:TEXT_LIMIT]
    )
    return f'"{shown}"...' if len(text) > TEXT_LIMIT else f'"{shown}"'


def number(octets: bytes) -> int:
    """Return octets as one unsigned number, most significant first."""
    return int.from_bytes(octets, "big")


def escape(text: str) -> str:
    """Return text with everything outside printable ASCII, and the quote, escaped: safe for any log."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02x}" for c in text)
