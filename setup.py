"""Builds the engine beside the package, where that is possible; everything else is in pyproject.toml."""

import importlib.util
import sys

from setuptools import setup

# pip shows this only when it is asked to (-v); `openpptp serve` says the same at its start.
if importlib.util.find_spec("cffi") is None:
    sys.stderr.write("cffi is missing: installing without the engine; the reference data path will serve\n")
    setup()
else:
    setup(cffi_modules=["native/build.py:builder"])
