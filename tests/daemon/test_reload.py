"""Which settings change in a running server."""

import contextlib
import json

import pytest
from pydantic import ValidationError

from openpptp.daemon.config import Settings
from openpptp.daemon.mistakes import section_model
from openpptp.daemon.reload import LIVE, Change, Reading, compare, merged

POOL = {"network": {"pool": ["10.0.0.0/24"]}}
KEYS = [
    f"{section}.{key}" for section in Settings.model_fields for key in section_model(Settings, section).model_fields
]
VALUES = (
    True, False, 1, 2, 1000, 40.0, "other0", "/other", "127.0.0.1", "reference", "raw", "optional", "debug", "json",
    ["10.1.0.0/24"], ["9.9.9.9"], ["PAP"], [40], "1mbit", "64KiB", "5", "10GiB", "08:00-18:00",
    {"office": ["10.1.0.0/24"]},
)  # fmt: skip
"One of them is another value than the default, whatever the setting."


def settings(**sections: dict[str, object]) -> Settings:
    return Settings.model_validate({name: POOL.get(name, {}) | sections.get(name, {}) for name in {**POOL, **sections}})


def another(key: str) -> Settings:
    """Return settings of which one is another."""
    section, _, name = key.partition(".")
    for value in VALUES:
        with contextlib.suppress(ValidationError):
            changed = settings(**{section: {name: value}})
            if changed != settings():
                return changed
    raise AssertionError(f"no other value for {key} is among VALUES; add one")


class CompareTests:
    def test_every_live_key_is_a_setting(self):
        assert set(KEYS) >= LIVE

    def test_all_limits_and_users_are_live_as_the_manual_says(self):
        assert {key for key in KEYS if key.startswith(("limits.", "users."))} <= LIVE

    @pytest.mark.parametrize("key", KEYS)
    def test_each_setting_is_either_applied_or_named(self, key):
        report = compare(settings(), another(key))
        applied, restart = [change.key for change in report.applied], [change.key for change in report.restart]
        assert (applied, restart) == (([key], []) if key in LIVE else ([], [key]))

    def test_nothing(self):
        report = compare(settings(), settings())
        assert (report.applied, report.restart) == ([], [])

    @pytest.mark.parametrize(("before", "after"), [("required", "off"), ("off", "optional")])
    def test_encryption_that_comes_or_goes_keeps_all_of_auth_until_the_restart(self, before, after):
        running, wanted = settings(auth={"encryption": before}), settings(auth={"encryption": after, "stateful": True})
        report = compare(running, wanted)
        assert report.applied == []
        assert [change.key for change in report.restart] == ["auth.encryption", "auth.stateful"]


class ReadingTests:
    """What the monitor reads as root and sends to the server."""

    @pytest.mark.parametrize("key", KEYS)
    def test_each_setting_arrives_as_it_was(self, key):
        before = Reading.of(another(key))
        after = Reading.decode(json.loads(json.dumps(before.encode())))
        assert after == before
        section = key.partition(".")[0]
        written = [getattr(each.settings, section).model_fields_set for each in (before, after)]
        assert written[0] == written[1], "some warnings depend on what was written"


class MergedTests:
    def test_only_what_is_applied_is_taken_over(self):
        wanted = settings(limits={"sessions": 5}, server={"port": 99})
        running = merged(settings(), wanted, compare(settings(), wanted).applied)
        assert (running.limits.sessions, running.server.port) == (5, 1723)
        assert [change.key for change in compare(running, wanted).restart] == ["server.port"]


class ChangeTests:
    @pytest.mark.parametrize("key", ["radius.secret", "radius.shared_secret", "x.password"])
    def test_a_secret_is_named_without_its_value(self, key):
        assert Change(key, "old", "new").facts() == {"key": key}
