"""What a policy says at one moment: may the user come in, may he stay, and how fast. No clock of its own."""

from collections.abc import Iterator
from datetime import datetime

from openpptp.backends.policy import Policy
from openpptp.backends.policy_values import Quota, show_expiry
from openpptp.credentials import Refused
from openpptp.datapath.seam import Rate
from openpptp.errors import EndReason

WALL_CHECK = 60.0  # ours: seconds after which the time of day is looked at again, since a clock may be set
QUOTA_CHECK = 2.0  # ours: seconds between looks at what a session with a quota has carried

# RFC 2759 section 6
RESTRICTED_HOURS, DISABLED, EXPIRED, NO_DIAL_IN = 646, 647, 648, 649


def refusal(user: str, policy: Policy, wall: float) -> Refused | None:
    """Return why a user may not come in now; wall is seconds since 1970."""
    if policy.disabled:
        return Refused(f"user {user!r} is disabled", DISABLED, "This account is disabled")
    if policy.expires is not None and policy.expires.timestamp() <= wall:
        since = show_expiry(policy.expires)
        return Refused(f"user {user!r} has expired on {since}", EXPIRED, f"This account has expired on {since}")
    if policy.hours is not None and policy.hours.until(wall) is None:
        detail = f"user {user!r} may connect at {policy.hours} only"
        return Refused(detail, RESTRICTED_HOURS, f"This account may connect at {policy.hours} only")
    return None


def out_of_quota(user: str, quota: Quota, used: int, wall: float) -> Refused | None:
    """Return why a user may not come in who has used so many octets."""
    if used < quota.octets:
        return None
    ends = quota.bounds(wall)[1]
    until = f" until {datetime.fromtimestamp(ends):%Y-%m-%d}" if ends is not None else ""
    detail = f"the quota {quota} of user {user!r} is used up{until}"
    return Refused(detail, NO_DIAL_IN, f"The quota {quota} is used up{until}")


def too_many(user: str, most: int) -> Refused:
    """Return why a user may not come in who has as many sessions as he may."""
    count = "a session" if most == 1 else f"{most} sessions"
    return Refused(f"user {user!r} has {count} already", NO_DIAL_IN, f"This account has {count} already")


def ends(policy: Policy, *, since: float, last: float, now: float, wall: float) -> Iterator[tuple[EndReason, float]]:
    """Yield each reason for which a session will end, and the seconds until then, 0 or less: now.

    since: when data began to flow, last: the last data packet; both monotonic, as now. Of the time of day no more is
    told than WALL_CHECK ahead.
    """
    if policy.disabled:
        yield EndReason.DISABLED, 0.0
    if policy.expires is not None:
        yield EndReason.EXPIRED, min(policy.expires.timestamp() - wall, WALL_CHECK)
    if policy.hours is not None:
        until = policy.hours.until(wall)
        yield EndReason.HOURS, 0.0 if until is None else min(until - wall, WALL_CHECK)
    if policy.maxconnect is not None:
        yield EndReason.TIME_LIMIT, since + policy.maxconnect - now
    if policy.idle is not None:
        yield EndReason.IDLE, max(since, last) + policy.idle - now


def rates(policy: Policy) -> tuple[Rate | None, Rate | None]:
    """Return the limits of the data path, from the user and to him."""
    if policy.rate is None:
        return None, None
    burst_up, burst_down = (policy.burst.up, policy.burst.down) if policy.burst is not None else (None, None)
    return (
        None if policy.rate.up is None else Rate(policy.rate.up, burst_up or 0),
        None if policy.rate.down is None else Rate(policy.rate.down, burst_down or 0),
    )
