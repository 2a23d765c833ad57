"""The file /etc/resolv.conf in our hands for a while."""

import os

import pytest

from openpptp.errors import SetupError
from openpptp.net import resolv_conf as module
from openpptp.net.resolv_conf import ResolvConf

BEFORE = "# of the administrator\nnameserver 192.0.2.53\nsearch example.net\noptions edns0\n"
OURS = "nameserver 10.9.0.53\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text(BEFORE)
    path.chmod(0o640)
    return ResolvConf(path)


def listed(file: ResolvConf) -> list[str]:
    return sorted(os.listdir(file.path.parent))


class WriteTests:
    def test_ours_stands_there_and_the_original_beside_it(self, file):
        file.write("pptp0", OURS, keep_search=False)
        head, rest = file.path.read_text().split("\n", 1)
        assert head.startswith("# written by openpptp for pptp0: ")
        assert rest == OURS
        assert file.path.stat().st_mode & 0o777 == 0o644
        assert (file.path.parent / "resolv.conf.before-pptp0").read_text() == BEFORE
        assert file.owner() == "pptp0"

    def test_search_and_options_of_before_are_kept(self, file):
        file.write("pptp0", OURS, keep_search=True)
        file.write("pptp0", OURS, keep_search=True)
        assert file.path.read_text().split("\n", 1)[1] == OURS + "search example.net\noptions edns0\n"

    def test_what_another_tunnel_has_is_left_to_it(self, file):
        file.write("pptp0", OURS, keep_search=False)
        with pytest.raises(SetupError, match="in the hands of the tunnel pptp0"):
            file.write("pptp1", "nameserver 10.0.0.1\n", keep_search=False)

    def test_a_directory_we_may_not_write_in_is_named(self, tmp_path):
        file = ResolvConf(tmp_path / "none" / "resolv.conf")
        with pytest.raises(SetupError, match=r"cannot write .*none/resolv\.conf: No such file"):
            file.write("pptp0", OURS, keep_search=False)


class RestoreTests:
    def test_the_original_comes_back_with_its_mode(self, file):
        file.write("pptp0", OURS, keep_search=False)
        file.restore("pptp0")
        assert (file.path.read_text(), file.path.stat().st_mode & 0o777) == (BEFORE, 0o640)
        assert listed(file) == ["resolv.conf"]
        assert file.owner() is None

    @pytest.mark.parametrize("text", ["nameserver 192.0.2.99\n", None], ids=["rewritten", "a line added"])
    def test_what_somebody_wrote_meanwhile_stays(self, file, text):
        file.write("pptp0", OURS, keep_search=False)
        text = text or file.path.read_text() + "nameserver 192.0.2.99\n"
        file.path.write_text(text)
        file.restore("pptp0")
        assert file.path.read_text() == text
        assert listed(file) == ["resolv.conf"]

    def test_twice_is_once(self, file):
        file.write("pptp0", OURS, keep_search=False)
        file.restore("pptp0")
        file.restore("pptp0")
        assert file.path.read_text() == BEFORE

    def test_where_there_was_none_there_is_none(self, tmp_path):
        file = ResolvConf(tmp_path / "resolv.conf")
        file.write("pptp0", OURS, keep_search=True)
        file.restore("pptp0")
        assert listed(file) == []

    def test_a_link_comes_back_as_a_link_with_what_its_owner_has_written(self, tmp_path):
        (tmp_path / "run").mkdir()
        behind = tmp_path / "run/stub.conf"
        behind.write_text("nameserver 127.0.0.53\noptions trust-ad\n")
        path = tmp_path / "resolv.conf"
        path.symlink_to("run/stub.conf")
        file = ResolvConf(path)
        file.write("pptp0", OURS, keep_search=True)
        assert not path.is_symlink()
        assert path.read_text().endswith("options trust-ad\n")
        assert behind.read_text().startswith("nameserver 127.0.0.53")
        behind.write_text("nameserver 127.0.0.54\n")
        file.restore("pptp0")
        assert str(path.readlink()) == "run/stub.conf"
        assert path.read_text() == "nameserver 127.0.0.54\n"

    def test_a_file_that_is_mounted_from_elsewhere_is_written_in_place(self, file, monkeypatch):
        real = module.Path.replace

        def replace(draft, target):
            if target == file.path:
                raise OSError(16, "Device or resource busy")
            return real(draft, target)

        monkeypatch.setattr(module.Path, "replace", replace)
        inode = file.path.stat().st_ino
        file.write("pptp0", OURS, keep_search=False)
        assert file.path.read_text().endswith(OURS)
        file.restore("pptp0")
        assert (file.path.read_text(), file.path.stat().st_ino) == (BEFORE, inode)
        assert listed(file) == ["resolv.conf"]

    def test_what_cannot_be_put_back_is_said(self, file, monkeypatch):
        file.write("pptp0", OURS, keep_search=False)

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module.Path, "replace", full)
        with pytest.raises(SetupError, match=r"cannot put .* back from .*before-pptp0: No space"):
            file.restore("pptp0")

    def test_a_stale_original_is_not_what_comes_back(self, file):
        file.write("pptp0", OURS, keep_search=False)
        file.path.write_text("nameserver 192.0.2.99\n")  # and the tunnel was killed
        file.write("pptp0", OURS, keep_search=False)
        file.restore("pptp0")
        assert file.path.read_text() == "nameserver 192.0.2.99\n"
