"""docs/profile.md."""

from tests.machine import REPOSITORY

from openpptp.daemon.client.profile_text import profile_page


def test_the_page_is_that_of_the_keys():
    page = (REPOSITORY / "docs" / "profile.md").read_text(encoding="utf-8")
    assert page == profile_page(), "run: python -m openpptp.daemon.client.profile_text > docs/profile.md"
