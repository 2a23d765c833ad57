import stat

import pytest

from openpptp.errors import SetupError
from openpptp.net.nft import Nft


class NftTests:
    """A host on which nft cannot do its work; one on which it does is in test_firewall.py."""

    def test_no_nft(self):
        with pytest.raises(SetupError, match="install the package nftables") as caught:
            Nft("no-such-program").ask("list", "tables")
        assert caught.value.exit_code == 3

    def test_no_nft_and_a_folder_of_the_path_that_may_not_be_read(self, tmp_path, monkeypatch):
        (tmp_path / "no-such-program").write_text("")  # not executable: the same error, also for root
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        with pytest.raises(SetupError, match="install the package nftables"):
            Nft("no-such-program").ask("list", "tables")

    @pytest.mark.parametrize(
        ("script", "words"),
        [
            ("echo 'Error: JSON support not compiled-in' >&2; exit 1", "nftables 0.9.3 or newer"),
            ("echo \"nft: invalid option -- 'j'\" >&2; exit 1", "nftables 0.9.3 or newer"),
            ("echo 'table inet x'", "nftables 0.9.3 or newer"),
            ("echo 'Error: Could not process rule: Operation not supported' >&2; exit 1", "kernel lacks a part"),
            ("exec sleep 100", "did not run"),
        ],
        ids=["no JSON", "no such option", "answers in text", "old kernel", "hangs"],
    )
    def test_an_nft_that_cannot(self, tmp_path, monkeypatch, script, words):
        monkeypatch.setattr("openpptp.net.nft.PATIENCE", 0.2)
        program = tmp_path / "nft"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        with pytest.raises(SetupError, match=words) as caught:
            Nft(str(program)).ask("list", "tables")
        assert caught.value.exit_code == 3

    def test_a_program_that_is_none(self, tmp_path):
        program = tmp_path / "nft"
        program.write_text("")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        with pytest.raises(SetupError, match="did not run"):
            Nft(str(program)).ask("list", "tables")
