import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.net.packets import ENVIRONMENT

from openpptp.errors import SetupError
from openpptp.net.journal import Journal, is_held


class JournalTests:
    """What we changed and must take back."""

    def test_changes_are_undone_in_reverse_order(self):
        journal = Journal()
        for name in "abc":
            journal.remember("route", name=name)
        journal.remember("address", name="d")
        assert [entry["name"] for entry in journal.entries("route")] == ["c", "b", "a"]
        assert [entry["name"] for entry in journal.entries("route", "address")] == ["d", "c", "b", "a"]

    def test_what_is_undone_is_forgotten(self):
        journal = Journal()
        entry = journal.remember("route", name="a")
        journal.forget(entry)
        journal.forget(entry)
        assert journal.entries("route") == []

    def test_b145_the_next_process_reads_what_the_last_one_left(self, tmp_path):
        journal = Journal(tmp_path / "run" / "openpptp")
        journal.remember("route", name="a")
        journal.forget(journal.remember("route", name="b"))
        journal.close()
        assert Journal(tmp_path / "run" / "openpptp").entries("route") == [{"kind": "route", "name": "a"}]

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "null", '{"world": 1}', '{"entries": []}', '{"world": "WORLD", "entries": [1]}', "\udc80"],
    )
    def test_b145_a_damaged_file_counts_as_none(self, tmp_path, text):
        first = Journal(tmp_path)
        first.remember("route", name="a")
        first.close()
        path = tmp_path / "undo.json"
        world = json.loads(path.read_text())["world"]
        path.write_bytes(text.replace("WORLD", world).encode("utf-8", "surrogateescape"))
        second = Journal(tmp_path)
        assert second.entries("route") == []
        second.close()

    def test_what_was_left_before_a_reboot_or_in_another_namespace_is_not_touched(self, tmp_path, monkeypatch):
        first = Journal(tmp_path)
        first.remember("route", name="a")
        first.close()
        monkeypatch.setattr("openpptp.net.journal.world", lambda: "another")
        second = Journal(tmp_path)
        assert second.entries("route") == []
        second.close()


class LockTests:
    """A directory belongs to one running process at a time."""

    def test_b146_the_second_is_refused_and_the_first_not_disturbed(self, tmp_path):
        first = Journal(tmp_path)
        first.remember("route", name="a")
        with pytest.raises(SetupError, match=rf"process {os.getpid()}\) already runs"):
            Journal(tmp_path)
        assert first.entries("route") != []
        first.close()
        Journal(tmp_path).close()

    def test_b145_a_killed_process_holds_nothing(self, tmp_path):
        script = (
            "import os, sys\nfrom pathlib import Path\nfrom openpptp.net.journal import Journal\n"
            "journal = Journal(Path(sys.argv[1]))\njournal.remember('route', name='a')\nos.kill(os.getpid(), 9)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, tmp_path], env=ENVIRONMENT, check=False)
        assert done.returncode == -9
        journal = Journal(tmp_path)
        assert [entry["name"] for entry in journal.entries("route")] == ["a"]
        journal.close()


class SetupTests:
    """A directory that cannot be used."""

    def test_a_directory_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(SetupError, match="cannot use the runtime directory"):
            Journal(tmp_path / "file" / "run")

    def test_no_privilege(self, tmp_path, monkeypatch):
        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "mkdir", refuse)
        with pytest.raises(SetupError, match="run as root") as caught:
            Journal(tmp_path / "run")
        assert caught.value.exit_code == 3

    def test_b143_a_full_disk_stops_the_change_before_it_is_made_but_no_undoing(self, tmp_path, monkeypatch):
        journal = Journal(tmp_path)
        made = journal.remember("route", name="before")

        def refuse(*_, **__):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("openpptp.net.journal.os.replace", refuse)
        with pytest.raises(SetupError, match="No space left"):
            journal.remember("route", name="a")
        assert journal.entries("route") == [made]
        journal.forget(made)
        assert journal.entries("route") == []
        journal.close()


class ForeignDirectoryTests:
    """The server's user owns the directory; what he may have laid there must not be written through, by root."""

    @pytest.fixture
    def precious(self, tmp_path):
        file = tmp_path / "precious"
        file.write_text("precious")
        return file

    @pytest.fixture
    def directory(self, tmp_path):
        folder = tmp_path / "run"
        folder.mkdir()
        return folder

    def test_a_link_for_a_lock_is_refused(self, precious, directory):
        (directory / "lock").symlink_to(precious)
        with pytest.raises(SetupError, match="cannot use the runtime directory"):
            Journal(directory)
        assert precious.read_text() == "precious"

    def test_a_second_name_of_a_file_is_not_written_to(self, precious, directory):
        (directory / "lock").hardlink_to(precious)
        Journal(directory).close()
        assert precious.read_text() == "precious"

    @pytest.mark.parametrize("lay", [Path.symlink_to, Path.hardlink_to])
    def test_what_lies_where_the_draft_goes_is_replaced(self, precious, directory, lay):
        lay(directory / "undo.json.new", precious)
        journal = Journal(directory)
        journal.remember("route", name="a")
        journal.close()
        assert precious.read_text() == "precious"
        assert "route" in (directory / "undo.json").read_text()

    def test_a_link_for_the_directory_is_refused(self, tmp_path, directory):
        (tmp_path / "link").symlink_to(directory)
        with pytest.raises(SetupError, match="cannot use the runtime directory"):
            Journal(tmp_path / "link")
        assert list(directory.iterdir()) == []


class IsHeldTests:
    def test_only_while_a_process_has_it(self, tmp_path):
        assert not is_held(tmp_path / "none")
        journal = Journal(tmp_path)
        assert is_held(tmp_path)
        journal.close()
        assert not is_held(tmp_path)
