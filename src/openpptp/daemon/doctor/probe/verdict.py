"""The conclusion: one sentence and a remedy, by the first rule that applies; pure.

The rules stand in the order in which one thing rests on another. A sentence says "most likely" where other causes
would look the same from here.
"""

from collections.abc import Callable

from openpptp.daemon.doctor.probe import rules_gre, rules_reach, rules_session
from openpptp.daemon.doctor.probe.conclusion import Conclusion
from openpptp.daemon.doctor.probe.seen import Seen

RULES: tuple[Callable[[Seen], Conclusion | None], ...] = (
    *rules_reach.RULES,
    rules_gre.gre,
    rules_session.link,
    rules_session.methods,
    rules_session.login,
    rules_session.path,
    rules_session.second,
)


def conclude(seen: Seen) -> Conclusion:
    """Return what all that was seen comes to."""
    return next((found for rule in RULES if (found := rule(seen)) is not None), None) or rules_session.well(seen)
