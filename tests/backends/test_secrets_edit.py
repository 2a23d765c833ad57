"""user add, passwd, list, remove: one line changes, the rest stays as it was."""

import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.backends import secrets_edit
from openpptp.backends.policy import parse as parse_policy
from openpptp.backends.secrets_file import parse
from openpptp.errors import SetupError

FILE = b"""# users of the office
ann\t*  "old secret"  10.0.0.7   # reception
'open
bob * \\
   hunter2 * -- mtu 1200
ann other theirs *
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "chap-secrets"
    path.write_bytes(FILE)
    path.chmod(0o600)
    return path


class AddTests:
    """openpptp user add."""

    def test_a_new_file_is_private(self, tmp_path):
        path = tmp_path / "chap-secrets"
        secrets_edit.add(path, "ann", "pass word#1")
        assert path.read_bytes() == b'ann * "pass word#1" *\n'
        assert {child.stat().st_mode & 0o777 for child in tmp_path.iterdir()} == {0o600}
        assert sorted(child.name for child in tmp_path.iterdir()) == [".chap-secrets.lock", "chap-secrets"]

    def test_everything_before_stays(self, file):
        secrets_edit.add(file, "carl", "x", addresses=("10.0.0.9",))
        assert file.read_bytes() == FILE + b"carl * x 10.0.0.9\n"

    @pytest.mark.parametrize("tail", [b"", b"# note", b"bob * x *", b"bob * x * \\", b"bob * x * \\\n", b"bob * 'open"])
    def test_a_last_line_without_end_does_not_swallow_the_new_one(self, tmp_path, tail):
        path = tmp_path / "chap-secrets"
        path.write_bytes(tail)
        secrets_edit.add(path, "ann", "secret")
        assert parse(path.read_bytes(), path).find("ann", "us").secret == "secret"

    def test_a_user_is_not_added_twice(self, file):
        with pytest.raises(SetupError, match="user passwd"):
            secrets_edit.add(file, "ann", "x")
        assert file.read_bytes() == FILE

    @pytest.mark.parametrize("name", ["", "*", "a\nb", "a\0b", "x" * 256, "a\x1bb"])
    def test_b132_a_name_that_would_break_the_file_is_refused(self, file, name):
        with pytest.raises(SetupError):
            secrets_edit.add(file, name, "x")

    @pytest.mark.parametrize("secret", ["", "@/etc/passwd", "a\nb", "x" * 257, "\ud83d"])
    def test_a_secret_that_would_not_read_back_is_refused(self, file, secret):
        with pytest.raises(SetupError):
            secrets_edit.add(file, "carl", secret)
        assert file.read_bytes() == FILE

    @pytest.mark.parametrize("name", ["DOM\\user", "user@realm", "../../etc", "$(reboot)", "a b", "Jörg", '"', "#"])
    def test_b132_any_printable_name_reads_back(self, tmp_path, name):
        path = tmp_path / "chap-secrets"
        secrets_edit.add(path, name, "secret")
        assert [entry.client for entry in secrets_edit.users(path)] == [name]

    def test_a_folder_that_is_missing(self, tmp_path):
        with pytest.raises(SetupError, match="make it first"):
            secrets_edit.add(tmp_path / "none" / "chap-secrets", "ann", "x")

    def test_a_symbolic_link_stays_one(self, file, tmp_path):
        link = tmp_path / "link"
        link.symlink_to(file)
        secrets_edit.add(link, "carl", "x")
        assert link.is_symlink()
        assert file.read_bytes().endswith(b"carl * x *\n")

    def test_the_rest_of_a_killed_edit_is_cleared(self, file):
        (file.parent / ".chap-secrets.new").write_bytes(b"half")
        secrets_edit.add(file, "carl", "x")
        assert file.read_bytes().endswith(b"carl * x *\n")

    def test_two_editors_at_once_lose_nothing(self, file):
        names = [f"user{number}" for number in range(8)]
        editors = [multiprocessing.Process(target=secrets_edit.add, args=(file, name, "x")) for name in names]
        for editor in editors:
            editor.start()
        for editor in editors:
            editor.join()
        assert {*names} <= {entry.client for entry in secrets_edit.users(file)}

    def test_a_lock_that_cannot_be_made_is_told(self, tmp_path):
        (tmp_path / ".chap-secrets.lock").mkdir()
        with pytest.raises(SetupError, match="cannot be written"):
            secrets_edit.add(tmp_path / "chap-secrets", "ann", "x")

    def test_a_path_that_cannot_be_replaced_is_told(self, tmp_path):
        (tmp_path / ".chap-secrets.new").mkdir()
        with pytest.raises(SetupError, match="cannot be written"):
            secrets_edit.add(tmp_path / "chap-secrets", "ann", "x")


class PasswdTests:
    """openpptp user passwd."""

    def test_only_the_secret_changes(self, file):
        assert secrets_edit.set_secret(file, "ann", "new one", server="us") == 1
        assert file.read_bytes() == FILE.replace(b'"old secret"', b'"new one"')
        assert file.stat().st_mode & 0o777 == 0o600

    def test_a_secret_on_a_joined_line(self, file):
        secrets_edit.set_secret(file, "bob", "x", server="us")
        assert file.read_bytes() == FILE.replace(b"hunter2", b"x")

    def test_lines_for_us_by_name_count_too(self, file):
        assert secrets_edit.set_secret(file, "ann", "n", server="other") == 2

    def test_an_unknown_user(self, file):
        with pytest.raises(SetupError, match="user list"):
            secrets_edit.set_secret(file, "carl", "x", server="us")
        assert file.read_bytes() == FILE


class RemoveTests:
    """openpptp user remove."""

    def test_the_line_goes_and_the_rest_stays(self, file):
        assert secrets_edit.remove(file, "bob", server="us") == 1
        assert file.read_bytes() == FILE.replace(b"bob * \\\n   hunter2 * -- mtu 1200\n", b"")

    def test_lines_for_other_servers_stay(self, file):
        assert secrets_edit.remove(file, "ann", server="us") == 1
        assert [(entry.client, entry.server) for entry in secrets_edit.users(file)] == [("bob", "*"), ("ann", "other")]

    def test_an_unknown_user(self, file):
        with pytest.raises(SetupError):
            secrets_edit.remove(file, "carl", server="us")


class ListTests:
    """openpptp user list."""

    def test_usable_lines_in_order(self, file):
        assert [(entry.client, entry.line) for entry in secrets_edit.users(file)] == [
            ("ann", 2),
            ("bob", 4),
            ("ann", 6),
        ]

    @given(
        st.binary(max_size=60),
        st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20).filter(lambda name: name != "*"),
        st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20),
    )
    def test_after_any_octets_add_and_remove_are_inverse(self, tmp_path_factory, before, name, secret):
        if secret.startswith("@/"):
            return
        path = tmp_path_factory.mktemp("edit") / "chap-secrets"
        path.write_bytes(before)
        if any(entry.client == name for entry in secrets_edit.users(path)):
            return
        secrets_edit.add(path, name, secret)
        assert parse(path.read_bytes(), path).find(name, "us").secret == secret
        secrets_edit.remove(path, name, server="us")
        assert path.read_bytes().startswith(before)
        assert path.read_bytes()[len(before) :].strip() == b""


class LimitTests:
    """openpptp user limit, in a secrets file."""

    @staticmethod
    def limit(file, name: str, **said: str | None):
        def change(policy):
            for item, text in said.items():
                policy = policy.cleared(item) if text is None else policy.said(item, text)
            return policy

        return secrets_edit.limit(file, name, change, server="us")

    def test_what_is_said_is_written_behind_the_addresses(self, file):
        assert str(self.limit(file, "ann", rate="10mbit/2mbit")) == "rate 10mbit/2mbit"
        assert file.read_bytes() == FILE.replace(b"10.0.0.7 ", b"10.0.0.7 -- rate 10mbit/2mbit ")

    def test_more_and_less_and_nothing(self, file):
        self.limit(file, "ann", rate="10mbit", idle="none")
        self.limit(file, "ann", rate=None, sessions="1/replace")
        assert parse(file.read_bytes(), file).find("ann", "us").policy == parse_policy("sessions 1/replace idle none")
        self.limit(file, "ann", sessions=None, idle=None)
        assert file.read_bytes() == FILE

    def test_a_line_with_words_nobody_knows_is_left_alone(self, file):
        with pytest.raises(SetupError, match=r"chap-secrets:4: 'mtu' is nothing .* mend the line by hand"):
            self.limit(file, "bob", idle="5m")
        assert file.read_bytes() == FILE

    def test_an_unknown_user(self, file):
        with pytest.raises(SetupError, match="no user carl"):
            self.limit(file, "carl", idle="5m")

    def test_a_password_that_looks_like_the_dashes_is_none(self, file):
        file.write_bytes(b"ann * -- *\n")
        self.limit(file, "ann", idle="5m")
        assert file.read_bytes() == b"ann * -- * -- idle 5m\n"

    def test_a_user_is_added_with_a_policy(self, file):
        secrets_edit.add(file, "carl", "x", policy=parse_policy("idle 5m"))
        assert file.read_bytes() == FILE + b"carl * x * -- idle 5m\n"
