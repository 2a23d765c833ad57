"""A runtime directory as others see it."""

import os

from openpptp.net.journal import Journal
from openpptp.net.leftovers import Runtime, look


class LookTests:
    def test_none_there(self, tmp_path):
        assert look(tmp_path / "run") == Runtime(None, 0)
        assert not (tmp_path / "run").exists()

    def test_one_that_is_held(self, tmp_path):
        journal = Journal(tmp_path)
        journal.remember("forwarding", before="0")
        assert look(tmp_path) == Runtime(os.getpid(), 1)
        journal.close()
        assert look(tmp_path) == Runtime(None, 1)

    def test_to_look_does_not_lock(self, tmp_path):
        look(tmp_path)
        Journal(tmp_path).close()
        look(tmp_path)
        Journal(tmp_path).close()
