"""The bench's own small programs in C, compiled into a folder that goes with the process."""

import functools
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path(__file__).with_name("native")
ENGINE = Path(__file__).parent.parent / "native"
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="openpptp-bench-")


@functools.cache
def helper(name: str) -> str:
    """Compile native/NAME.c of the bench; return the program's path."""
    program = Path(_folder().name) / name
    _run("gcc", *FLAGS, "-o", str(program), str(SOURCES / f"{name}.c"))
    return str(program)


@functools.cache
def engine_helper(name: str) -> str:
    """Compile native/bench/NAME.c of the engine, with the engine as it is installed; return the program's path."""
    build = Path(_folder().name) / "engine"
    source = ENGINE / "bench" / f"{name}.c"
    if not source.exists():
        raise RuntimeError(f"there is no {source.relative_to(ENGINE.parent)}")
    _run("make", "-s", "-C", str(ENGINE), "bench", f"BUILD={build}", f"BENCH=bench/{name}.c")
    return str(build / "bench" / name)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"cannot build: {(done.stderr or done.stdout).strip()[-500:]}")
