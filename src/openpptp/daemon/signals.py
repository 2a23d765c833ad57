"""The signals that ask a program of ours to end."""

import asyncio
import signal

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signals(stop: asyncio.Event) -> None:
    """Set stop on Ctrl-C, at a service manager's request and when the terminal goes away.

    A hang-up that is ignored stays so: nohup asked for it.
    """
    loop = asyncio.get_running_loop()
    for number in ENDINGS:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)
