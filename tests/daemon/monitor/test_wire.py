from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from openpptp.daemon.hook_programs import HookEvent, HookJob
from openpptp.daemon.monitor.wire import (
    LONGEST,
    LONGEST_WORD,
    BadRequest,
    EndHooks,
    Look,
    Open,
    Regroup,
    Reread,
    Run,
    read_request,
    write,
    write_request,
)

JOB = HookJob(HookEvent.AUTH_DOWN, ("pptp0", "ä\n$(id)"), {"PEERNAME": "ä", "DNS1": "9.9.9.9"})
REQUESTS = [Open(Path("/etc/x")), Look(Path("/etc/\udcff")), Reread(), Run(JOB), EndHooks(), Regroup()]


class RequestTests:
    """What the server writes the monitor reads."""

    @pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
    def test_there_and_back(self, request_):
        assert read_request(write_request(7, request_)) == (7, request_)

    def test_variables_nobody_knows_stay_here(self):
        job = HookJob(HookEvent.IP_UP, (), {"PATH": "/tmp", "LD_PRELOAD": "x", "IFNAME": "pptp0"})
        assert read_request(write_request(1, Run(job)))[1] == Run(HookJob(HookEvent.IP_UP, (), {"IFNAME": "pptp0"}))

    def test_the_longest_name_a_peer_can_have_fits(self):
        name = (b"\xff" * 1500).decode("utf-8", "backslashreplace")
        job = HookJob(HookEvent.IP_UP, (name,), {"PEERNAME": name})
        packet = write_request(1, Run(job))
        assert len(packet) <= LONGEST
        assert read_request(packet) == (1, Run(job))


RUN = {"number": 1, "ask": "Run", "event": "ip-up", "arguments": [], "environment": {}}


class BadRequestTests:
    """Whoever broke into the server can send what he likes."""

    @pytest.mark.parametrize(
        "message",
        [
            {},
            {"number": 1},
            {"ask": "Reread"},
            {"number": True, "ask": "Reread"},
            {"number": "1", "ask": "Reread"},
            {"number": -1, "ask": "Reread"},
            {"number": 1 << 60, "ask": "Reread"},
            {"number": 1, "ask": "Reread", "path": "/etc/shadow"},
            {"number": 1, "ask": "Open"},
            {"number": 1, "ask": "Open", "path": 3},
            {"number": 1, "ask": "Open", "path": "/etc/x\0"},
            {"number": 1, "ask": "Open", "path": "\ud800"},
            {"number": 1, "ask": "Open", "path": "x" * (LONGEST_WORD + 1)},
            {"number": 1, "ask": "Shell"},
            RUN | {"event": "ip-pre-up"},
            RUN | {"arguments": ["x"] * 9},
            RUN | {"arguments": [1]},
            RUN | {"arguments": ["a\0b"]},
            RUN | {"environment": {"BASH_ENV": "/tmp/x"}},
            RUN | {"environment": {"PEERNAME": None}},
            RUN | {"environment": {"PEERNAME": "a\0b"}},
            RUN | {"program": "/bin/sh"},
        ],
        ids=str,
    )
    def test_refused(self, message):
        with pytest.raises(BadRequest):
            read_request(write(message))

    @given(some.binary(max_size=200))
    def test_octets_by_chance_are_refused(self, octets):
        with pytest.raises(BadRequest):
            read_request(octets)

    @pytest.mark.parametrize("octets", [b"", b"[" * LONGEST, b"9" * 5000, b" " * (LONGEST + 1), b"\xff", b'"x"'])
    def test_no_json_object_of_a_sane_length(self, octets):
        with pytest.raises(BadRequest):
            read_request(octets)
