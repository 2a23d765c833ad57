"""What a policy says at one moment."""

from datetime import datetime

import pytest

from openpptp.backends.policy import parse
from openpptp.backends.policy_values import Quota, parse_quota
from openpptp.daemon.policy_rules import WALL_CHECK, ends, out_of_quota, rates, refusal, too_many
from openpptp.datapath.seam import Rate
from openpptp.errors import EndReason

MONDAY = datetime(2026, 11, 23, 12, 0).timestamp()


def told(policy: str, **moment: float) -> dict[EndReason, float]:
    moments = {"since": 100.0, "last": 0.0, "now": 100.0, "wall": MONDAY, **moment}
    return dict(ends(parse(policy), **moments))


class EndsTests:
    def test_nothing_is_said_of_who_has_no_limits(self):
        assert told("rate 1mbit pool office") == {}

    def test_times_by_the_monotonic_clock(self):
        assert told("idle 10m maxconnect 1h", now=160.0) == {EndReason.IDLE: 540.0, EndReason.TIME_LIMIT: 3540.0}

    def test_a_packet_puts_only_the_idle_time_off(self):
        assert told("idle 10m maxconnect 1h", now=160.0, last=150.0)[EndReason.IDLE] == 590.0

    def test_the_time_of_day_is_looked_at_again_since_a_clock_may_be_set_b144(self):
        assert told("hours 08:00-18:00 expires 2026-12-01") == {
            EndReason.HOURS: WALL_CHECK,
            EndReason.EXPIRED: WALL_CHECK,
        }
        assert told("hours 08:00-12:01", wall=MONDAY + 50)[EndReason.HOURS] == 10.0

    def test_what_is_over_is_over(self):
        assert told("hours 08:00-12:00 disabled yes") == {EndReason.HOURS: 0.0, EndReason.DISABLED: 0.0}
        assert told("expires 2026-11-22")[EndReason.EXPIRED] < 0


class RefusalTests:
    def test_the_gravest_comes_first(self):
        refused = refusal("anna", parse("hours 13:00-14:00 expires 2026-01-01 disabled yes"), MONDAY)
        assert refused is not None
        assert (refused.error_code, refused.detail) == (647, "user 'anna' is disabled")

    @pytest.mark.parametrize("policy", ["", "disabled no", "hours 12:00-12:01", "expires 2026-11-24", "idle 1s"])
    def test_who_may_come(self, policy):
        assert refusal("anna", parse(policy), MONDAY) is None

    def test_a_quota_says_when_it_begins_anew(self):
        quota = parse_quota("1G/week")
        assert out_of_quota("anna", quota, 2**30 - 1, MONDAY) is None
        refused = out_of_quota("anna", quota, 2**30, MONDAY)
        assert refused is not None
        assert refused.message == "The quota 1GiB/week is used up until 2026-11-30"

    def test_one_for_good_never_does(self):
        refused = out_of_quota("anna", Quota(2**20), 2**20, MONDAY)
        assert refused is not None
        assert refused.message == "The quota 1MiB is used up"

    def test_how_many_are_too_many(self):
        assert (too_many("anna", 1).message, too_many("anna", 3).message) == (
            "This account has a session already",
            "This account has 3 sessions already",
        )


class RatesTests:
    @pytest.mark.parametrize(
        ("policy", "from_him", "to_him"),
        [
            ("", None, None),
            ("burst 64K", None, None),
            ("rate 10mbit/2mbit", Rate(2_000_000), Rate(10_000_000)),
            ("rate 10mbit/none burst 64K/16K", None, Rate(10_000_000, 65536)),
            ("rate 1mbit burst none", Rate(1_000_000), Rate(1_000_000)),
        ],
    )
    def test_down_is_to_the_user(self, policy, from_him, to_him):
        assert rates(parse(policy)) == (from_him, to_him)
