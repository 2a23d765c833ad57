"""With a real host: tests/netns/test_host.py."""

import pytest

from openpptp.daemon import host_packets
from openpptp.daemon.host_packets import FirewallTable, PacketForwarding


class HostSwitch:
    """Plays net.forwarding."""

    def __init__(self, value: str, *, ours: bool) -> None:
        self._value, self._ours = value, ours

    def value(self) -> str:
        return self._value

    def was_enabled(self) -> bool:
        return self._ours


class HostTable:
    """Plays net.firewall."""

    name = "inet openpptp_pptp0"

    def __init__(self, *, right: bool, there: bool) -> None:
        self._right, self._there = right, there

    def verify(self) -> bool:
        return self._right

    def is_there(self) -> bool:
        return self._there


class PacketForwardingTests:
    @pytest.mark.parametrize(
        ("value", "ours", "state"), [("1", False, "present"), ("0", True, "overridden"), ("0", False, "missing")]
    )
    def test_what_the_host_shows(self, monkeypatch, value, ours, state):
        monkeypatch.setattr(host_packets, "switched_off_by", list)
        piece = PacketForwarding(HostSwitch(value, ours=ours))
        assert piece.verify().state == state
        assert piece.describe() == [f"sysctl net.ipv4.ip_forward = 1 (now {value})"]

    def test_whose_settings_switch_it_off_again(self, monkeypatch):
        monkeypatch.setattr(host_packets, "switched_off_by", lambda: ["/etc/sysctl.d/99-x.conf:3"])
        condition = PacketForwarding(HostSwitch("0", ours=True)).verify()
        assert condition.sentence.endswith("; /etc/sysctl.d/99-x.conf:3 does so whenever it is read")
        assert condition.remedy.startswith("take that line out, then restart the server")


class FirewallTableTests:
    @pytest.mark.parametrize(
        ("right", "there", "state"), [(True, True, "present"), (False, True, "overridden"), (False, False, "missing")]
    )
    def test_what_the_host_shows(self, right, there, state):
        piece = FirewallTable(HostTable(right=right, there=there), "add table x\n")
        condition = piece.verify()
        assert condition.state == state
        assert "inet openpptp_pptp0" in condition.sentence
        assert bool(condition.remedy) == (state != "present")
