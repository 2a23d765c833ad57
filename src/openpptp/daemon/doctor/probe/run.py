"""`openpptp doctor HOST` from its question to its report."""

import asyncio

import structlog

from openpptp.daemon.doctor.probe.conclusion import HostReport
from openpptp.daemon.doctor.probe.examination import Examination, Question
from openpptp.daemon.doctor.probe.steps import steps
from openpptp.daemon.doctor.probe.verdict import conclude
from openpptp.daemon.log import report_defect
from openpptp.daemon.log import set_up as set_up_log


def examine(question: Question, *, debug: bool = False) -> HostReport:
    """Look at a server; debug logs what is said on the way, to standard error."""
    set_up_log("debug" if debug else "error", "text")
    return asyncio.run(_examine(question))


async def _examine(question: Question) -> HostReport:
    asyncio.get_running_loop().set_exception_handler(report_defect)
    seen = await Examination(question, structlog.get_logger()).run()
    return HostReport(question.host, steps(seen), conclude(seen))
