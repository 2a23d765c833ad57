"""sd_notify(3): what the service manager hears."""

import os
import socket

import pytest

from openpptp.errors import SetupError
from openpptp.net.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path):
    """Return a socket as the service manager has it, with the name it gives its services."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@openpptp-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind("\0" + name[1:] if name.startswith("@") else name)
        bound.settimeout(10)
        yield bound, name


class NotifierTests:
    """READY, RELOADING, STOPPING, STATUS and WATCHDOG."""

    def test_a_life_is_told(self, listener):
        bound, name = listener
        notifier = Notifier({"NOTIFY_SOCKET": name})
        notifier.ready("0 sessions")
        notifier.alive("3 sessions")
        notifier.stopping()
        with pytest.raises(SetupError), notifier:
            raise SetupError("port\n1723 is taken")
        assert [bound.recv(500).decode() for _ in range(4)] == [
            "READY=1\nSTATUS=0 sessions",
            "WATCHDOG=1\nSTATUS=3 sessions",
            "STOPPING=1\nSTATUS=taking leave of every client",
            "STATUS=port 1723 is taken",
        ]

    def test_a_reload_carries_the_time_that_notify_reload_wants(self, listener):
        bound, name = listener
        Notifier({"NOTIFY_SOCKET": name}).reloading()
        first, second = bound.recv(500).decode().split("\n")
        assert first == "RELOADING=1"
        assert second.removeprefix("MONOTONIC_USEC=").isdigit()

    def test_a_long_status_is_cut(self, listener):
        bound, name = listener
        Notifier({"NOTIFY_SOCKET": name}).alive("x" * 5000)
        assert len(bound.recv(9000)) < 400

    @pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}], ids=["none", "gone"])
    def test_nobody_to_tell_is_no_mistake(self, environment):
        notifier = Notifier(environment)
        notifier.ready("")
        notifier.stopping()
        assert notifier.listens is bool(environment)

    def test_a_manager_that_does_not_read_holds_nobody(self, tmp_path):
        name = str(tmp_path / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
            bound.bind(name)
            notifier = Notifier({"NOTIFY_SOCKET": name})
            for _ in range(2000):  # net.unix.max_dgram_qlen is 10 by default
                notifier.alive("")


class HeartbeatTests:
    """WATCHDOG_USEC and WATCHDOG_PID (sd_watchdog_enabled(3))."""

    @pytest.mark.parametrize(
        ("environment", "seconds"),
        [
            ({}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
            ({"WATCHDOG_USEC": "30000000"}, 15.0),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ],
    )
    def test_half_the_time_it_gives_us(self, environment, seconds):
        assert Notifier({"NOTIFY_SOCKET": "/run/nobody", **environment}).heartbeat == seconds

    def test_without_a_manager_there_is_none(self):
        assert Notifier({"WATCHDOG_USEC": "30000000"}).heartbeat is None
