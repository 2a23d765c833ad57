"""The signals that ask a program of ours to end, or to read its settings again."""

import asyncio
import os
import signal
from collections.abc import Callable

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signals(stop: asyncio.Event, hang_up: Callable[[], None] | None = None) -> None:
    """Set stop on Ctrl-C, at a service manager's request and when the terminal goes away.

    With hang_up given, SIGHUP calls it unless the terminal has gone. A hang-up that is ignored stays so where it would
    end the program: nohup asked for it.
    """
    loop = asyncio.get_running_loop()
    had_terminal = has_terminal()

    def hung_up() -> None:
        if hang_up is not None and not (had_terminal and not has_terminal()):
            hang_up()
        elif not ignored:
            stop.set()

    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in ENDINGS:
        if number is not signal.SIGHUP:
            loop.add_signal_handler(number, stop.set)
        elif hang_up is not None or not ignored:
            loop.add_signal_handler(number, hung_up)


def has_terminal() -> bool:
    """Return whether this process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
