"""The command line, `openpptp`: one file per command group, each imported only when it is called."""

OWN_PROCESS = "own process"
"What click's ctx.obj says when a command has the process to itself, and may give up what the process may do."


def main() -> None:
    """Run the program; this is what the installed script calls."""
    from openpptp.cli.program import program  # noqa: PLC0415 - importing the package must cost nothing
    from openpptp.daemon.confined import keep_secrets_in  # noqa: PLC0415

    keep_secrets_in()
    program.main(prog_name="openpptp", obj=OWN_PROCESS)
