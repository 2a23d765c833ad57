"""Compiles single rooms of native/ for the tests, so that a test of the reference can run against its native twin."""

import functools
import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

import cffi

NATIVE = Path(__file__).parents[2] / "native"
CHECKED = ("-g", "-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all")


@functools.cache
def part(declarations: str, *sources: str, include: str) -> Any:
    """Return a module with `ffi` and `lib` for declarations (cffi's subset of C), made of sources in native/.

    include is C text that names the headers, and may hold helpers of the test's own. Compiled once per content, with
    UBSan, into the system's temporary directory.
    """
    text = b"".join(path.read_bytes() for path in sorted(NATIVE.glob("*.[ch]")))
    name = f"_part_{hashlib.sha256(repr((declarations, sources, include)).encode() + text).hexdigest()[:24]}"
    directory = Path(tempfile.gettempdir()) / "openpptp-parts" / name
    made = next(directory.glob(f"{name}*.so"), None)
    if made is None:
        builder = cffi.FFI()
        builder.cdef(declarations)
        builder.set_source(
            name,
            include,
            sources=[str(NATIVE / source) for source in sources],
            include_dirs=[str(NATIVE)],
            extra_compile_args=["-std=gnu11", "-D_GNU_SOURCE", *CHECKED],
            extra_link_args=["-fsanitize=undefined"],
        )
        made = Path(builder.compile(tmpdir=str(directory)))
    # Or a report would end the whole run without a word; after abort Python says where it was.
    os.environ.setdefault("UBSAN_OPTIONS", "abort_on_error=1:print_stacktrace=1")
    specification = importlib.util.spec_from_file_location(name, made)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
