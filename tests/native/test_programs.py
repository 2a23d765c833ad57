"""The engine's own tests and fuzz targets, which need no Python: built with sanitizers and run.

OPENPPTP_FUZZ_RUNS says how many inputs each fuzz target gets (default 10,000; the engine's makes about 60 packets of
each).
"""

import os
import subprocess
from pathlib import Path

import pytest
from tests.native.parts import NATIVE

FUZZ_RUNS = int(os.environ.get("OPENPPTP_FUZZ_RUNS", "10000"))
TARGETS = sorted(source.stem for source in (NATIVE / "fuzz").glob("fuzz_*.c"))


def make(target: str) -> str:
    done = subprocess.run(
        ["make", "--silent", "--jobs", str(os.cpu_count() or 1), "-C", str(NATIVE), target],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class ProgramTests:
    """Built by native/Makefile, as a person builds them."""

    def test_all_rooms_pass_under_address_sanitizer_and_ubsan(self):
        assert make("test").count("passed") == len(list((NATIVE / "tests").glob("test_*.c")))

    def test_what_threads_share_passes_under_thread_sanitizer(self):
        assert "passed  test_loop" in make("tsan")

    @pytest.mark.parametrize("target", TARGETS)
    def test_no_fuzzed_packet_makes_a_sanitizer_speak(self, target: str, tmp_path: Path):
        make("fuzz")
        program = NATIVE / "build" / "fuzz" / target
        done = subprocess.run(
            [program, "--runs", str(FUZZ_RUNS), "--seed", "1", "--crash", tmp_path / "crash"],
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{FUZZ_RUNS} runs" in done.stdout
