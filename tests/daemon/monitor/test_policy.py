import os
from pathlib import Path

import pytest

from openpptp.daemon.config import Settings
from openpptp.daemon.hook_programs import HookEvent
from openpptp.daemon.monitor.policy import NamedSecrets, Policy, named_in, policy_of, within_reach
from openpptp.daemon.monitor.wire import BadRequest


class PolicyTests:
    WHOLE = Policy(
        *(5, (Path("/a"), Path("/\udcff")), Path("/etc/ppp"), {HookEvent.IP_UP: Path("/up")}),
        *(2.5, Path("/run/x/api.sock"), "staff"),
    )

    @pytest.mark.parametrize("policy", [WHOLE, Policy(0, ())])
    def test_there_and_back(self, policy):
        assert Policy.decode(policy.encode()) == policy

    @pytest.mark.parametrize("change", [{"uid": None}, {"files": None}, {"commands": []}, {"commands": {"x": "/y"}}])
    def test_anything_else_is_refused(self, change):
        with pytest.raises(BadRequest):
            Policy.decode(self.WHOLE.encode() | change)
        with pytest.raises(BadRequest):
            Policy.decode({})

    def test_it_is_what_the_settings_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        settings = Settings.model_validate({
            "network": {"pool": ["10.0.0.0/24"]},
            "server": {"runtime_directory": "/run/other"},
            "users": {"file": "secrets", "pap_file": "/etc/ppp/pap-secrets"},
            "hooks": {"directory": "/etc/ppp", "auth_up": "/usr/bin/up", "timeout": 7},
        })  # fmt: skip
        assert policy_of(settings, 9) == Policy(
            uid=9,
            files=(tmp_path / "secrets", Path("/etc/ppp/pap-secrets")),
            directory=Path("/etc/ppp"),
            commands={HookEvent.AUTH_UP: Path("/usr/bin/up")},
            timeout=7,
            socket=Path("/run/other/api.sock"),
        )


class NamedSecretsTests:
    """@/path in place of a secret."""

    def test_only_the_third_word_names_a_file(self):
        data = b'a * @/one *\n"b" * "@/with space" *\n@/c @/d e\n# x * @/no\nf * "" @/g\nh * x@/i\nj * @k\nl * @/m'
        assert named_in(data) == {Path("/one"), Path("/with space"), Path("/m")}

    def test_a_file_is_read_again_only_when_it_changed(self, tmp_path, monkeypatch):
        file = tmp_path / "secrets"
        file.write_text("a * @/one *\n")
        named = NamedSecrets()
        assert named.of(file) == {Path("/one")}
        with monkeypatch.context() as patch:
            patch.setattr("openpptp.daemon.monitor.policy.named_in", lambda _data: pytest.fail("read again"))
            assert named.of(file) == {Path("/one")}
        file.write_text("a * @/other *\n")
        assert named.of(file) == {Path("/other")}

    def test_one_that_cannot_be_read_names_none(self, tmp_path):
        assert NamedSecrets().of(tmp_path / "none") == frozenset()


class WithinReachTests:
    """Whose directories lead to a file."""

    @pytest.fixture
    def somebodys(self, monkeypatch, tmp_path):
        """A user who has tmp_path/his, without a chown."""
        his = tmp_path / "his"
        his.mkdir()
        true = Path.lstat

        def lstat(path):
            status = true(path)
            if path != his:
                return status
            return os.stat_result((*status[:4], 4711, *status[5:10]))

        monkeypatch.setattr(Path, "lstat", lstat)
        return 4711

    def test_a_directory_of_his_and_what_is_below(self, somebodys, tmp_path):
        (tmp_path / "his" / "deep").mkdir()
        assert within_reach(tmp_path / "his" / "x", somebodys)
        assert within_reach(tmp_path / "his" / "deep" / "x", somebodys)

    def test_not_what_is_beside_it(self, somebodys, tmp_path):
        assert not within_reach(tmp_path / "x", somebodys)
        assert not within_reach(tmp_path / "his", somebodys)

    def test_links_are_followed_one_by_one(self, somebodys, tmp_path):
        (tmp_path / "his" / "out").symlink_to("/etc/passwd")
        (tmp_path / "one").symlink_to(tmp_path / "his" / "out")
        (tmp_path / "two").symlink_to("one")
        assert within_reach(tmp_path / "two", somebodys)
        (tmp_path / "directory").symlink_to(tmp_path / "his")
        assert within_reach(tmp_path / "directory" / "x", somebodys)

    def test_links_without_end_count_as_his(self, somebodys, tmp_path):
        (tmp_path / "round").symlink_to("round")
        assert within_reach(tmp_path / "round", somebodys)

    def test_root_reaches_everything_anyway(self, tmp_path):
        assert not within_reach(tmp_path / "x", 0)
