"""Work that may hang, for as long as a name server or a disk far away pleases (B-148)."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def beside(work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
    """Do work in a thread that holds up neither the event loop nor, as those of its executor do, the program's end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def tell(settle: Callable[..., None], outcome: object) -> None:
        if not done.done():  # whoever waited may be gone
            settle(outcome)

    def run() -> None:
        settle: Callable[..., None] = done.set_result
        outcome: object
        try:
            outcome = work(*args, **kwargs)
        except Exception as error:
            settle, outcome = done.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to hear it
            loop.call_soon_threadsafe(tell, settle, outcome)

    threading.Thread(target=run, name="beside", daemon=True).start()
    return await done
