"""The settings in words agree with the settings in code."""

import re
import tomllib
from pathlib import Path

import pytest

from openpptp.daemon.config import Settings
from openpptp.daemon.settings_text import settings_file, settings_page

POOL = {("network", "pool"): ["10.9.8.0/24"]}


class SettingsFileTests:
    """The commented file of a first run."""

    def test_it_reads_back_as_the_defaults(self):
        read = Settings.model_validate(tomllib.loads(settings_file(POOL)))
        assert read == Settings.model_validate({"network": {"pool": ["10.9.8.0/24"]}})

    def test_every_line_that_is_switched_off_is_right_when_switched_on(self):
        text = re.sub(r"^#(\w+ = )", r"\1", settings_file(POOL), flags=re.MULTILINE)
        raw = tomllib.loads(text)
        read = Settings.model_validate(raw)
        assert {name: set(section) for name, section in raw.items()} == {
            name: set(getattr(read, name).__class__.model_fields) for name in Settings.model_fields
        }

    @pytest.mark.parametrize("section", list(Settings.model_fields))
    def test_every_key_is_explained(self, section):
        for key, field in Settings.model_fields[section].annotation.model_fields.items():
            assert field.description, f"{section}.{key}"
            assert field.description.endswith("."), f"{section}.{key}"

    def test_no_line_is_too_long_to_read(self):
        assert max(map(len, settings_file(POOL).splitlines())) <= 120


class SettingsPageTests:
    """docs/settings.md."""

    def test_the_committed_page_is_up_to_date(self):
        page = Path(__file__).parents[2] / "docs" / "settings.md"
        assert page.read_text(encoding="utf-8") == settings_page(), (
            "make it again: python -m openpptp.daemon.settings_text > docs/settings.md"
        )
