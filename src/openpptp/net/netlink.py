"""pyroute2 in one thread of its own, where its errors become ours.

pyroute2 runs an event loop of its own and fails inside a running one; one thread also keeps the calls in order.
"""

import asyncio
import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from openpptp.errors import SetupError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Self = TypeVar("Self", bound="NetlinkThread")


def in_thread(
    method: Callable[Concatenate[Self, Parameters], Result],
) -> Callable[Concatenate[Self, Parameters], Result]:
    """Make a method run in the netlink thread of its object, and wait for it."""

    @wraps(method)
    def call(self: Self, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return self.in_thread(partial(method, self, *args, **kwargs))

    return call


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Translate netlink's errors to SetupError; the kernel's own words do not reach us, only errno."""
    try:
        yield
    except (NetlinkError, OSError) as error:
        number = error.code if isinstance(error, NetlinkError) else error.errno
        if number in (errno.EPERM, errno.EACCES):
            message = f"this process may not {what}; run as root or grant CAP_NET_ADMIN"
            raise SetupError(message, exit_code=3) from error
        raise SetupError(f"cannot {what}: {os.strerror(number or 0)}") from error


class NetlinkThread:
    """Own the thread and the netlink socket in it."""

    def __init__(self, make_netlink: Callable[[], Any] = IPRoute) -> None:
        """Prepare; the socket is opened by the first operation, in the caller's network namespace."""
        self._make_netlink = make_netlink
        self._open_netlink: Any = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="netlink")
        self._thread = 0

    def in_thread(self, work: Callable[[], Result]) -> Result:
        """Run work in the netlink thread and wait for it."""
        if threading.get_ident() == self._thread:
            return work()
        return self._executor.submit(self._run, work).result()

    async def later(
        self, operation: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Do an operation of this object without stopping the event loop."""
        work = partial(operation, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, work)

    def close(self) -> None:
        """Stop the thread; undoes nothing by itself."""
        if self._open_netlink is not None:
            self.in_thread(self._open_netlink.close)
            self._open_netlink = None
        self._executor.shutdown()

    def _run(self, work: Callable[[], Result]) -> Result:
        self._thread = threading.get_ident()
        return work()

    @property
    def netlink(self) -> Any:
        """The IPRoute; only for the netlink thread."""
        if self._open_netlink is None:
            with doing("open a netlink socket"):
                self._open_netlink = self._make_netlink()
        return self._open_netlink

    def index_of(self, device: str) -> int:
        """Return a device's index; raise SetupError when there is none of that name."""
        with doing(f"find the device {device}"):
            found = self.netlink.link_lookup(ifname=device)
        if not found:
            raise SetupError(f"this host has no network device {device}")
        return int(found[0])

    def device_at(self, index: int | None) -> str:
        """Return the name of the device with that index; empty for none."""
        if index is None:
            return ""
        (message,) = self.netlink.get_links(index)
        return str(message.get_attr("IFLA_IFNAME"))
