"""Describes the extension module openpptp.net._engine to cffi; setup.py builds it.

engine.h is the one place that says what the engine offers: it is read here, without its comments and preprocessor
lines. Without a compiler or Python's headers the extension is left out, and the reference data path serves.
"""

import re
from pathlib import Path

import cffi

NATIVE = Path(__file__).parent
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DIRECTIVE = re.compile(r"^#.*$", re.MULTILINE)


def declarations(header: str) -> str:
    """Return the plain declarations of a header."""
    return DIRECTIVE.sub("", COMMENT.sub("", header))


def builder() -> cffi.FFI:
    """Return what cffi builds; paths are relative to the directory setup.py runs in, as setuptools wants them."""
    made = cffi.FFI()
    made.cdef(declarations((NATIVE / "engine.h").read_text()))
    made.set_source(
        "openpptp.net._engine",
        '#include "engine.h"',
        sources=sorted(map(str, NATIVE.glob("*.c"))),
        depends=sorted(map(str, NATIVE.glob("*.h"))),
        include_dirs=[str(NATIVE)],
        define_macros=[("_GNU_SOURCE", None)],
        extra_compile_args=["-std=gnu11", "-O2", "-g", "-fvisibility=hidden", "-fno-plt", "-pthread"],
        extra_link_args=["-pthread"],
        optional=True,
    )
    return made
