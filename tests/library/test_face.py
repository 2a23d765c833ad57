"""openpptp/__init__.py: the names programs may rely on, and what they cost."""

import ast
import subprocess
import sys

import pytest
from tests.machine import REPOSITORY

import openpptp
from openpptp.library.options import ConnectOptions, places

FACE = REPOSITORY / "src" / "openpptp" / "__init__.py"


def test_every_name_is_there_and_documented():
    for name in openpptp.__all__:
        value = getattr(openpptp, name)
        assert name == "__version__" or (value.__doc__ or "").strip(), name
    assert set(openpptp.__all__) <= set(dir(openpptp))


def test_a_type_checker_and_a_program_are_given_the_same():
    for node in ast.walk(ast.parse(FACE.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("openpptp."):
            for name in node.names:
                home = __import__(node.module, fromlist=[name.name])
                assert getattr(home, name.name) is getattr(openpptp, name.name)


def test_no_other_name_is_there():
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = openpptp.colour


def test_importing_it_loads_nothing_of_it():
    loaded = "import openpptp, sys; print([name for name in sys.modules if name.startswith('openpptp.')])"
    found = subprocess.run(
        [sys.executable, "-c", loaded],
        env={"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stdout == "[]\n"


def test_every_key_of_a_profile_is_an_option():
    assert set(ConnectOptions.__annotations__) == set(places())
