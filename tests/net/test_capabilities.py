"""What a process may do once it has given up the rest; each test asks a process of its own."""

import json
import subprocess
import sys

import pytest
from tests.machine import REPOSITORY

BEGIN = """
import json, os, resource, threading
from pathlib import Path
from openpptp.net import capabilities
from openpptp.net.capabilities import Capability

def status(thread="self"):
    lines = Path(f"/proc/self/task/{thread}/status" if thread != "self" else "/proc/self/status").read_text()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines.splitlines())}
"""
KEPT = "(Capability.NET_ADMIN, Capability.NET_RAW)"
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def says(code: str):
    """Run code and return the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(REPOSITORY / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.root
class RootTests:
    """What root gives up."""

    GIVE_UP = f"""
capabilities.forgo_others({KEPT})
capabilities.become(65534, 65534, [1])
capabilities.hold_only({KEPT})
"""

    def test_another_user_keeps_just_two(self):
        found = says(self.GIVE_UP + "print(json.dumps(status()))")
        assert {found[each] for each in SETS} == {f"{0x3000:016x}"}
        assert (found["Uid"], found["Gid"]) == ("\t".join(["65534"] * 4),) * 2
        assert found["Groups"] == "1"

    def test_threads_begun_later_have_no_more(self):
        found = says(
            self.GIVE_UP
            + """
found = []
thread = threading.Thread(target=lambda: found.append(status(threading.get_native_id())))
thread.start()
thread.join()
print(json.dumps(found[0]))
"""
        )
        assert {found[each] for each in SETS} == {f"{0x3000:016x}"}
        assert found["Uid"] == "\t".join(["65534"] * 4)

    def test_a_program_we_start_has_them_too(self):
        found = says(self.GIVE_UP + "os.execvp('sh', ['sh', '-c', 'grep CapEff /proc/self/status | grep -c 3000'])")
        assert found == 1

    @pytest.mark.parametrize("program", ["sh", "python3"])
    def test_root_that_stays_root_gets_nothing_back_by_a_program(self, program):
        code = {"sh": ["sh", "-c", "grep CapEff /proc/self/status | grep -c 0000000000003000"]}.get(
            program, [program, "-c", "print(open('/proc/self/status').read().count('CapEff:\\t0000000000003000'))"]
        )
        found = says(
            f"capabilities.forgo_others({KEPT}); capabilities.hold_only({KEPT}); capabilities.refuse_new()\n"
            f"os.execvp({code[0]!r}, {code!r})"
        )
        assert found == 1

    def test_a_file_of_root_alone_is_closed(self, tmp_path):
        secret = tmp_path / "secret"
        secret.touch(0o600)
        found = says(
            self.GIVE_UP
            + f"""
try:
    open({str(secret)!r})
except PermissionError as error:
    print(json.dumps("refused"))
"""
        )
        assert found == "refused"


class EverybodyTests:
    """What needs no privilege."""

    def test_no_new_privileges(self):
        assert says("capabilities.refuse_new(); print(json.dumps(status()))")["NoNewPrivs"] == "1"

    def test_who_has_none_may_hold_only_none(self):
        found = says("capabilities._set(0); capabilities.hold_only(Capability); print(json.dumps(status()))")
        assert (found["CapEff"], found["CapPrm"]) == ("0" * 16,) * 2

    def test_without_the_power_to_cut_it_the_bounding_set_stays(self):
        found = says("capabilities._set(0); capabilities.forgo_others([]); print(json.dumps(status()))")
        assert found["CapEff"] == "0" * 16

    def test_memory_is_hidden_and_no_core_is_written(self):
        found = says("""
import ctypes
capabilities.hide_memory()
capabilities.forbid_cores()
print(json.dumps([ctypes.CDLL(None).prctl(3), *resource.getrlimit(resource.RLIMIT_CORE)]))
""")
        assert found == [0, 0, 0]

    def test_a_process_has_a_name(self):
        assert (
            says("capabilities.name_process('openpptp-root'); print(json.dumps(status()))")["Name"] == "openpptp-root"
        )
