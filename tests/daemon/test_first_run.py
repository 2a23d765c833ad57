"""Settings out of nothing."""

import os
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from openpptp.backends import secrets_file
from openpptp.daemon.config import load
from openpptp.daemon.first_run import LETTERS, look_at_host, prepare, random_password
from openpptp.errors import SetupError
from openpptp.net.links import HostNetwork, Route

HOME = IPv4Network("192.168.1.0/24")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "etc" / "openpptp.toml"


class PrepareTests:
    """What is made, and what is left alone."""

    def test_the_files_made_are_whole_and_fit_together(self, path):
        result = prepare([HOME], settings_path=path)
        settings = load(path)
        assert settings.warnings() == []
        assert result.made == (path, settings.users.file)
        (entry,) = secrets_file.read(settings.users.file).entries
        assert (entry.client, entry.secret) == (result.user, result.password)
        assert not entry.addresses.allows_none

    def test_only_the_settings_may_be_read_by_others(self, path):
        result = prepare([HOME], settings_path=path)
        assert result.secrets_path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()

    def test_the_pool_touches_no_network_of_the_host(self, path, tmp_path):
        prepare([], settings_path=path)
        taken = load(path).network.pool[0]
        other = tmp_path / "other.toml"
        prepare([IPv4Network(f"{taken.first}/8", strict=False)], settings_path=other)
        assert not IPv4Network(f"{taken.first}/8", strict=False).overlaps(
            IPv4Network(load(other).network.pool[0].first)
        )

    def test_nothing_that_exists_is_overwritten(self, path):
        first = prepare([HOME], settings_path=path)
        before = {file: file.read_bytes() for file in first.made}
        second = prepare([HOME], settings_path=path, user="other")
        assert (second.made, second.user, second.password) == ((), None, None)
        assert {file: file.read_bytes() for file in first.made} == before

    def test_what_is_missing_beside_existing_settings_is_made_where_they_say(self, path, tmp_path):
        users = tmp_path / "elsewhere" / "users"
        path.parent.mkdir()
        path.write_text(f'[network]\npool = ["10.0.0.0/24"]\n[users]\nfile = "{users}"\n', encoding="utf-8")
        result = prepare([HOME], settings_path=path)
        assert result.made == (users,)
        assert secrets_file.read(users).entries[0].client == result.user

    def test_existing_settings_that_are_wrong_stop_it(self, path):
        path.parent.mkdir()
        path.write_text("[network]\n", encoding="utf-8")
        with pytest.raises(SetupError, match=r"network\.pool: required, but missing"):
            prepare([HOME], settings_path=path)

    def test_a_place_that_cannot_be_written_is_said(self, tmp_path):
        (tmp_path / "etc").write_text("a file, no directory", encoding="utf-8")
        with pytest.raises(SetupError, match="cannot be made"):
            prepare([HOME], settings_path=tmp_path / "etc" / "openpptp.toml")

    def test_the_password_is_not_printed_with_the_result(self, path):
        result = prepare([HOME], settings_path=path)
        assert result.password not in repr(result)


class FakeLinks:
    """A host behind one uplink, with or without a default route."""

    online = True

    def networks(self):
        return [HostNetwork(HOME, "eth1"), HostNetwork(IPv4Network("192.0.2.0/24"), "eth0")]

    def addresses(self):
        entries = [("127.0.0.1/8", "lo"), ("192.168.1.2/24", "eth1"), ("192.0.2.7/24", "eth0")]
        return [(IPv4Interface(address), device) for address, device in entries]

    def route_to(self, _address):
        if not self.online:
            raise SetupError("cannot reach it")
        return Route(None, "eth0", IPv4Address("192.0.2.7"))

    def close(self):
        pass


class HostTests:
    """Which networks are taken, and where clients may find us."""

    def test_the_address_towards_the_world_comes_first(self, monkeypatch):
        monkeypatch.setattr("openpptp.daemon.first_run.Links", FakeLinks)
        host = look_at_host()
        assert host.addresses == ["192.0.2.7", "192.168.1.2"]
        assert host.networks == [HOME, IPv4Network("192.0.2.0/24")]

    def test_without_a_way_out_all_addresses_are_as_good(self, monkeypatch):
        monkeypatch.setattr("openpptp.daemon.first_run.Links", FakeLinks)
        monkeypatch.setattr(FakeLinks, "online", False)
        assert look_at_host().addresses == ["192.168.1.2", "192.0.2.7"]


class PasswordTests:
    """Random passwords."""

    def test_each_is_new_and_needs_no_quotes(self):
        made = {random_password() for _ in range(50)}
        assert len(made) == 50
        assert all(len(password) == 14 and set(password) <= set(LETTERS) for password in made)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
