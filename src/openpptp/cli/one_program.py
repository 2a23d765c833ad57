"""`openpptp connect ... --exec -- COMMAND`: the command line of the program, kept away from our own options."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from openpptp.daemon.connect_request import ConnectRequest, Dns
from openpptp.errors import SetupError

if TYPE_CHECKING:
    from openpptp.daemon.client.enclosure import Enclosure

META = "openpptp.program"
"Where the words after -- are, in click's context."


class WithProgram(click.Command):
    """A command whose --exec takes all words after --; they may look like options of ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set the program's words aside."""
        if "--" in args and "--exec" in args[: args.index("--")]:
            at = args.index("--")
            args, ctx.meta[META] = args[:at], args[at + 1 :]
        return super().parse_args(ctx, args)


def program_of(ctx: click.Context, *, as_json: bool) -> Sequence[str]:
    """Return the program's words; raise SetupError when there are none, or what was asked for beside it is no use."""
    words: list[str] = ctx.meta.get(META, [])
    if not words:
        raise SetupError("write the program behind two dashes: --exec -- COMMAND ARGUMENTS", exit_code=2)
    if as_json:
        raise SetupError("--exec and --json exclude each other: standard output is the program's", exit_code=2)
    return words


def request_for_program(request: ConnectRequest, program: Sequence[str]) -> ConnectRequest:
    """Return what the client is to do for one program: all of its traffic and its names go through the tunnel."""
    if request.kill_switch != "off":
        message = "--exec needs no kill switch: the program has no other way out; leave one out (--no-kill-switch)"
        raise SetupError(message, exit_code=2)
    return replace(
        request, program=program[0], routes=(), default_route=True, dns=request.dns or Dns(), while_down="hold"
    )


def enclosure_for(request: ConnectRequest, program: Sequence[str]) -> "Enclosure":
    """Make the network namespace, while this process may; raise SetupError where it may not."""
    from openpptp.daemon.client.enclosure import Enclosure  # noqa: PLC0415
    from openpptp.daemon.client.profile_files import account  # noqa: PLC0415

    return Enclosure.open(program, account(), request.runtime_directory)
