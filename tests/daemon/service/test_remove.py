"""Remove: the exact state before; and --purge, of what is ours only."""

import pytest

from openpptp.daemon.service import remove as removing
from openpptp.daemon.service.record import Record
from openpptp.daemon.service.source import Source
from openpptp.errors import SetupError


class RemoveTests:
    """The exact state before."""

    def test_nothing_stays(self, fake, install, remove):
        before = fake.files()
        install()
        said, problems = remove()
        assert (said[0], said[-1]) == ("undone: run systemctl start openpptp.service", f"undone: write {fake.unit}")
        assert problems == []
        assert fake.files() == before
        assert fake.calls()[3:] == ["stop openpptp.service", "disable openpptp.service", "daemon-reload"]

    def test_a_directory_that_was_there_stays(self, fake, install, remove):
        fake.record.parent.mkdir()
        before = fake.files()
        install()
        remove()
        assert fake.files() == before

    def test_what_is_not_installed_is_no_mistake(self, remove):
        assert remove() == (["the service is not installed"], [])

    def test_a_server_that_does_not_stop_keeps_its_unit(self, fake, install, remove):
        install()
        fake.breaks("stop")
        with pytest.raises(SetupError, match="stop"):
            remove()
        assert fake.unit.exists()
        assert Record(fake.record.parent).steps == ["unit", "enabled", "started"]

    def test_a_lost_record_hinders_nothing(self, fake, install, remove):
        install()
        fake.record.unlink()
        remove()
        assert not fake.unit.exists()

    def test_settings_that_are_gone_are_told(self, fake, install, remove, source):
        install()
        source.path.unlink()
        said, problems = remove()
        assert f"undone: write {fake.unit}" in said
        assert "its settings are gone" in problems[0]

    def test_the_runtime_directory_goes_with_what_a_killed_server_left(self, install, remove, source):
        install()
        run = source.load().server.runtime_directory
        run.mkdir(parents=True)
        (run / "api.sock").touch()
        assert remove()[1] == []
        assert not run.exists()

    def test_a_dry_run_says_it_all(self, fake, install):
        assert removing.describe_removal(fake.machine) == ["nothing: the service is not installed"]
        install()
        assert f"remove {fake.unit}" in removing.describe_removal(fake.machine)


class PurgeTests:
    """Settings, users and accounting, of ours only."""

    def test_files_of_ours(self, fake, source):
        settings = source.load()
        settings.accounting.file.parent.mkdir(parents=True)
        settings.accounting.file.touch()
        state = fake.root / "var/lib/openpptp"
        state.mkdir(parents=True)
        (state / "users.sqlite").touch()
        files = removing.owned_files(fake.machine, source, settings)
        assert {file.name for file in files} == {"accounting.sqlite", "users.sqlite", "openpptp.toml", "chap-secrets"}
        assert removing.purge(files) == []
        assert not source.path.parent.exists()
        assert not settings.accounting.file.parent.exists()
        assert not state.exists()

    def test_files_of_others_stay(self, fake, source, tmp_path):
        theirs = tmp_path / "chap-secrets"
        theirs.touch()
        settings = source.load()
        other = settings.model_copy(update={"users": settings.users.model_copy(update={"file": theirs})})
        assert theirs not in removing.owned_files(fake.machine, source, other)
        assert removing.owned_files(fake.machine, Source(source.path, pptpd=True), settings) == []

    def test_a_directory_with_something_else_stays(self, fake, source):
        (source.path.parent / "mine").touch()
        removing.purge(removing.owned_files(fake.machine, source, source.load()))
        assert list(source.path.parent.iterdir()) == [source.path.parent / "mine"]
