"""The command line, `openpptp`: one file per command group, each imported only when it is called."""


def main() -> None:
    """Run the program; this is what the installed script calls."""
    from openpptp.cli.program import program  # noqa: PLC0415 - importing the package must cost nothing

    program.main(prog_name="openpptp")
