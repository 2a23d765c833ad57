"""OpenPPTP: a PPTP server, client and access concentrator (RFC 2637)."""

__version__ = "0.1.0"
