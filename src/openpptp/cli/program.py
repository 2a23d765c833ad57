"""The command `openpptp` itself: finds its commands, and turns every error into a sentence and an exit code."""

import os
import sys
import tempfile
import traceback
from importlib import import_module
from keyword import iskeyword
from typing import Any, NoReturn

import click

from openpptp import __version__
from openpptp.errors import PptpError, SetupError

COMMANDS = {
    "serve": ("openpptp.cli.serve", "Run the server in the foreground."),
    "connect": (
        "openpptp.cli.connect",
        "Connect to the PPTP server HOST, or as the profile HOST says, and stay connected until Ctrl-C.",
    ),
    "profile": ("openpptp.cli.profile", "Add, list, show and remove profiles for `openpptp connect NAME`."),
    "import": ("openpptp.cli.import_settings", "Turn settings of pptpd, pppd or accel-ppp into ours."),
    "user": ("openpptp.cli.user", "Add, change, list and remove users, and say what each may."),
    "sessions": (
        "openpptp.cli.sessions",
        "Show the sessions of the running server, past ones, or what each user's come to.",
    ),
    "show": ("openpptp.cli.show", "Say everything known of one session, and what it waits for."),
    "status": (
        "openpptp.cli.status",
        "Say what the running server is, carries and counts, and what the clients of this machine are at.",
    ),
    "disconnect": ("openpptp.cli.disconnect", "End the session SESSION, all of a user, or all."),
    "reload": ("openpptp.cli.reload", "Let the running server read its settings and users again."),
    "events": ("openpptp.cli.events", "Show connections, sessions and refused log-ins as they happen, until Ctrl-C."),
    "export": ("openpptp.cli.export", "Print ready-made settings for a client."),
    "service": ("openpptp.cli.service", "Make the server a service of this machine, look at it, and take it back."),
    "doctor": (
        "openpptp.cli.doctor",
        "Say why a PPTP server does not connect, or whether this machine's own set-up is whole, and what to do.",
    ),
    "setup": ("openpptp.cli.setup", "Make settings and a first user with a random password, and say how to connect."),
}
"Where each command lives and its line in the help, so that one command's start does not load the others."


class Program(click.Group):
    """Loads commands late and lets no traceback out."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        attribute = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command = getattr(import_module(COMMANDS[cmd_name][0]), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; click itself proposes the nearest only among commands that are loaded."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from COMMANDS, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; say our own errors, and any other in one line."""
        try:
            return super().invoke(ctx)
        except SetupError as error:
            give_up(ctx, str(error), error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, KeyboardInterrupt, BrokenPipeError):
            raise
        except PptpError as error:
            complain(ctx, error)
        except Exception as error:  # the last door before the user
            complain(ctx, error)


def give_up(ctx: click.Context, sentence: str, exit_code: int) -> NoReturn:
    """Write the sentence to standard error and end with exit_code."""
    click.echo(sentence, err=True)
    ctx.exit(exit_code)


def complain(ctx: click.Context, error: Exception) -> NoReturn:
    """Say in one line what was not expected and where the details are."""
    if ctx.params.get("debug") or os.environ.get("OPENPPTP_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    give_up(ctx, f"openpptp met an error it did not expect ({what}){_details(error)}.", 1)


def _details(error: Exception) -> str:
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="openpptp-error-", suffix=".txt", delete=False
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return "; run it again with --debug before the command to see where"
    return f"; please report it with the details in {file.name}"


@click.command(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: sudo openpptp serve --config /etc/openpptp/openpptp.toml",
)
@click.version_option(__version__, prog_name="openpptp", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show where an unexpected error came from.")
def program(debug: bool) -> None:
    """OpenPPTP: PPTP server and client.

    PPTP protects weakly: whoever records a log-in can read the traffic later. Use it for devices that speak nothing
    better, and not for secrets.
    """
    del debug  # read in complain
