"""Directories change hands, and nothing else does."""

import os
from pathlib import Path

import pytest

from openpptp.daemon import handover
from openpptp.daemon.config import Settings
from openpptp.daemon.handover import Place, hand_over, places
from openpptp.daemon.server_user import ROOT, Owner

SERVER = Owner("server", 65534, 65533)
FILES = frozenset({"lock", "undo.json"})


def settings(**sections: dict[str, object]) -> Settings:
    return Settings.model_validate({"network": {"pool": ["10.0.0.0/24"]}} | sections)


def owner(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


class PlacesTests:
    def test_runtime_and_state_directory_with_their_files(self):
        runtime, state = places(settings())
        assert runtime == Place(
            Path("/run/openpptp"), 0o755, frozenset({"lock", "undo.json", "undo.json.new", "api.sock"})
        )
        assert (state.directory, state.mode) == (Path("/var/lib/openpptp"), 0o700)
        assert {"accounting.sqlite-wal", "users.sqlite-wal"} <= state.files

    def test_without_accounting_there_are_the_users(self):
        _, state = places(settings(accounting={"on": False}))
        assert "users.sqlite" in state.files
        assert "accounting.sqlite" not in state.files


@pytest.mark.root
class HandOverTests:
    """As root, which alone can give files away."""

    def place(self, directory: Path, mode: int = 0o755) -> list[Place]:
        return [Place(directory, mode, FILES)]

    def test_a_missing_directory_is_made(self, tmp_path):
        assert hand_over(self.place(tmp_path / "deep" / "run", 0o700), SERVER) == []
        assert owner(tmp_path / "deep" / "run") == (65534, 65533)
        assert owner(tmp_path / "deep") == (0, 0)
        assert (tmp_path / "deep" / "run").stat().st_mode & 0o777 == 0o700

    def test_what_an_earlier_version_left_is_taken_over_and_no_wider(self, tmp_path):
        run = tmp_path / "run"
        run.mkdir(mode=0o777)
        run.chmod(0o777)
        (run / "lock").write_text("1")
        (run / "lock").chmod(0o666)
        (run / "undo.json").touch(0o600)
        assert hand_over(self.place(run), SERVER) == []
        assert [owner(path) for path in (run, run / "lock", run / "undo.json")] == [(65534, 65533)] * 3
        modes = [path.stat().st_mode & 0o777 for path in (run, run / "lock", run / "undo.json")]
        assert modes == [0o755, 0o644, 0o600]

    def test_back_to_root(self, tmp_path):
        run = tmp_path / "run"
        hand_over(self.place(run), SERVER)
        (run / "lock").touch()
        os.chown(run / "lock", *SERVER[1:])
        assert hand_over(self.place(run), ROOT) == []
        assert [owner(run), owner(run / "lock")] == [(0, 0)] * 2

    @pytest.mark.parametrize("lay", [Path.symlink_to, Path.hardlink_to])
    def test_what_a_link_leads_to_keeps_its_owner(self, tmp_path, lay):
        precious = tmp_path / "precious"
        precious.touch(0o600)
        run = tmp_path / "run"
        run.mkdir()
        lay(run / "lock", precious)
        assert hand_over(self.place(run), SERVER) == []
        assert owner(precious) == (0, 0)

    def test_a_file_of_somebody_else_stays_his(self, tmp_path):
        run = tmp_path / "run"
        run.mkdir()
        (run / "lock").touch()
        os.chown(run / "lock", 4711, 4711)
        hand_over(self.place(run), SERVER)
        assert owner(run / "lock") == (4711, 4711)

    @pytest.mark.parametrize("kind", ["fifo", "directory"])
    def test_what_is_no_file_stays_as_it_is_and_holds_nobody_up(self, tmp_path, kind):
        run = tmp_path / "run"
        run.mkdir()
        {"fifo": os.mkfifo, "directory": os.mkdir}[kind](run / "lock")
        hand_over(self.place(run), SERVER)
        assert owner(run / "lock") == (0, 0)

    def test_a_link_in_the_directorys_place_is_not_followed(self, tmp_path):
        (tmp_path / "etc").mkdir()
        (tmp_path / "run").symlink_to(tmp_path / "etc")
        (said,) = hand_over(self.place(tmp_path / "run"), SERVER)
        assert "cannot be given to the user server" in said
        assert owner(tmp_path / "etc") == (0, 0)

    def test_a_directory_with_others_files_stays_and_that_is_said(self, tmp_path):
        (tmp_path / "others").touch()
        (tmp_path / "lock").touch()
        (said,) = hand_over(self.place(tmp_path), SERVER)
        assert "has other files in it" in said
        assert f"{tmp_path}/openpptp" in said
        assert [owner(tmp_path), owner(tmp_path / "lock")] == [(0, 0)] * 2
        assert hand_over(self.place(tmp_path), ROOT) == [], "it is root's already"

    def test_the_usual_ones_are_ours_whatever_lies_in_them(self, tmp_path, monkeypatch):
        run = tmp_path / "openpptp"
        run.mkdir()
        (run / "pptp-client").mkdir()
        (run / "lock").touch()
        assert len(hand_over(self.place(run), SERVER)) == 1, "a checkout may have that name, too"
        monkeypatch.setattr(handover, "OURS", {run})
        assert hand_over(self.place(run), SERVER) == []
        assert [owner(run), owner(run / "lock"), owner(run / "pptp-client")] == [(65534, 65533)] * 2 + [(0, 0)]
