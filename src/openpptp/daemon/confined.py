"""What a program of ours that stays root gives up, and how it keeps its secrets out of core files."""

import contextlib

from openpptp.net import capabilities
from openpptp.net.capabilities import Capability

CLIENT = (Capability.DAC_OVERRIDE, Capability.NET_ADMIN, Capability.NET_RAW)
"The first for /etc/resolv.conf, or what resolvconf writes, which may be another user's."


def keep_secrets_in() -> None:
    """Let no core file, and no other process of our user, have what is in our memory."""
    with contextlib.suppress(OSError):  # no reason to do without the program
        capabilities.hide_memory()


def confine_client() -> None:
    """Leave the client, and the programs it starts, what it needs; call it before any other thread begins."""
    capabilities.refuse_new()
    capabilities.hold_only(CLIENT)
