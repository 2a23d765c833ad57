"""What holds for all tests: root where it is needed, and no silent skips on the build machine."""

import os
from collections.abc import Generator, Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings
from tests.machine import CAPTURES, NOT_HERE, need_root

# Deadlines of hypothesis are a real clock; a busy machine must not fail a test. Native twins run the tests of the
# reference as methods of their own classes; an example that failed in one is worth trying in the other.
settings.register_profile("openpptp", deadline=None, suppress_health_check=[HealthCheck.differing_executors])
settings.load_profile("openpptp")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") or item.get_closest_marker("interop"):
        need_root()


@pytest.fixture(autouse=True)
def _log_as_at_the_start() -> Iterator[None]:
    """A command that was run in this process has set up the log of its own."""
    yield
    structlog.reset_defaults()


def _excused(reason: str) -> bool:
    return NOT_HERE in reason and not ("captures" in reason and CAPTURES.is_dir())


def _fail_if_skipped_without_excuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not _excused(reason):
        report.outcome = "failed"
        report.longrepr = f"skipped on a build machine that could run it: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_skipped_without_excuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped_without_excuse(report)
    return report
