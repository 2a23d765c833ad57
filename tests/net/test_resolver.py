"""By which way this host's DNS is set; resolvectl and resolvconf are stood in for by programs that write down."""

from ipaddress import IPv4Address

import pytest

from openpptp.errors import SetupError
from openpptp.net.journal import Journal
from openpptp.net.resolver import Nameservers, Resolver

SERVERS = (IPv4Address("10.9.0.53"), IPv4Address("10.9.0.54"))
SPY = '#!/bin/sh\n{ printf "%s" "${0##*/}"; printf " <%s>" "$@"; echo; cat; } >>"$(dirname "$0")/said"\n'


class Host:
    """A host with some of the programs."""

    def __init__(self, tmp_path, *programs: str, resolved: bool = False, interface: str = "lo") -> None:
        self._folder = tmp_path
        self.file = tmp_path / "resolv.conf"
        self.file.write_text("nameserver 192.0.2.53\n")
        for name in programs:
            (tmp_path / name).write_text(SPY)
            (tmp_path / name).chmod(0o755)
        self._resolved = tmp_path / "resolved"
        if resolved:
            self._resolved.mkdir()
        self.journal = Journal()
        self.resolver = Resolver(self.journal, interface, file=self.file, find=self._find, resolved=self._resolved)

    def _find(self, name: str) -> str | None:
        path = self._folder / name
        return str(path) if path.exists() else None

    def said(self) -> str:
        path = self._folder / "said"
        return path.read_text() if path.exists() else ""

    def fail(self, name: str) -> None:
        (self._folder / name).write_text('#!/bin/sh\necho "no such link" >&2\nexit 1\n')


class ResolvedTests:
    """systemd-resolved, where it runs."""

    def test_it_asks_them_for_everything(self, tmp_path):
        host = Host(tmp_path, "resolvectl", "resolvconf", resolved=True)
        assert host.resolver.apply(Nameservers(SERVERS)) == "systemd-resolved"
        assert host.said() == "resolvectl <dns> <lo> <10.9.0.53> <10.9.0.54>\nresolvectl <domain> <lo> <~.>\n"

    def test_or_for_the_domains_alone(self, tmp_path):
        host = Host(tmp_path, "resolvectl", resolved=True)
        host.resolver.apply(Nameservers(SERVERS, ("corp.example",), everything=False))
        assert "resolvectl <domain> <lo> <corp.example>\n" in host.said()

    def test_it_forgets_when_told_to(self, tmp_path):
        host = Host(tmp_path, "resolvectl", resolved=True)
        host.resolver.apply(Nameservers(SERVERS))
        assert host.resolver.undo() == []
        assert host.said().endswith("resolvectl <revert> <lo>\n")
        assert host.resolver.undo() == []
        assert host.said().count("revert") == 1

    def test_and_by_itself_with_the_interface(self, tmp_path):
        host = Host(tmp_path, "resolvectl", resolved=True, interface="gone0")
        host.resolver.apply(Nameservers(SERVERS))
        assert host.resolver.undo() == []
        assert "revert" not in host.said()

    def test_the_program_without_the_service_is_not_asked(self, tmp_path):
        host = Host(tmp_path, "resolvectl")
        assert host.resolver.apply(Nameservers(SERVERS)) == str(host.file)

    def test_what_it_refuses_is_said_in_its_words(self, tmp_path):
        host = Host(tmp_path, "resolvectl", resolved=True)
        host.fail("resolvectl")
        with pytest.raises(SetupError, match="resolvectl refuses to change DNS: no such link"):
            host.resolver.apply(Nameservers(SERVERS))
        (problem,) = host.resolver.undo()
        assert "refuses" in problem


class ResolvconfTests:
    """resolvconf, Debian's or openresolv."""

    def test_a_record_comes_and_goes(self, tmp_path):
        host = Host(tmp_path, "resolvconf")
        assert host.resolver.apply(Nameservers(SERVERS, ("corp.example",))) == "resolvconf"
        assert host.said() == (
            "resolvconf <-a> <tun.lo> <-m> <0> <-x>\nnameserver 10.9.0.53\nnameserver 10.9.0.54\nsearch corp.example\n"
        )
        assert host.resolver.undo() == []
        assert host.said().endswith("resolvconf <-d> <tun.lo> <-f>\n")

    def test_a_program_that_is_removed_meanwhile_is_named(self, tmp_path):
        host = Host(tmp_path, "resolvconf")
        host.resolver.apply(Nameservers(SERVERS))
        (tmp_path / "resolvconf").unlink()
        assert host.resolver.undo() == ["the program resolvconf is gone, so that DNS stays as it is"]


class FileTests:
    """The file itself, where there is neither."""

    def test_it_is_written_and_put_back(self, tmp_path):
        host = Host(tmp_path)
        assert host.resolver.apply(Nameservers(SERVERS)) == str(host.file)
        assert "nameserver 10.9.0.53\nnameserver 10.9.0.54\n" in host.file.read_text()
        host.resolver.apply(Nameservers(SERVERS[:1]))
        assert len(host.journal.entries("dns")) == 1
        assert host.resolver.undo() == []
        assert host.file.read_text() == "nameserver 192.0.2.53\n"

    def test_a_process_that_was_killed_is_cleared_up_after(self, tmp_path):
        host = Host(tmp_path)
        host.resolver.apply(Nameservers(SERVERS))
        Resolver(host.journal, "another", file=host.file).undo()
        assert host.file.read_text() == "nameserver 192.0.2.53\n"
