"""All clients by name."""

from tests.daemon.export.accesses import access

from openpptp.daemon.export.clients import Client, all_ways, recipe


class AllWaysTests:
    def test_every_client_is_named_with_its_lines(self):
        text = all_ways(access())
        for client in Client:
            assert recipe(access(), client).paste[0] in text

    def test_a_client_that_cannot_come_in_is_told_why(self):
        text = all_ways(access(port=1724))
        assert "not possible: Windows reaches TCP port 1723 only" in text
        assert "sudo openpptp connect 203.0.113.1 --user anna --port 1724" in text

    def test_no_file_shows_a_password_that_was_not_given(self):
        for client in Client:
            assert "None" not in recipe(access(), client).file
