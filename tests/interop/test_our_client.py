"""Our client logs in to pptpd 1.4 + pppd 2.4.9."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.eventually import eventually
from tests.interop.bulk import assert_undamaged, connect_on_host, heard_in_guest, listen_in_guest
from tests.interop.capture import capturing
from tests.interop.cases import CASES, Case
from tests.interop.conftest import BEHIND_GUEST, GUEST, HOST, Lab
from tests.interop.ours import connected, nothing_left_in
from tests.interop.peers import Pptpd, start_pptpd

pytestmark = pytest.mark.interop

DEFAULT = Case("MS-CHAPv2", 128)
ITS_ADDRESS = "10.88.0.1"
ROUTE = ("--route", f"{BEHIND_GUEST}/32")


@contextmanager
def pptpd(lab: Lab, case: Case) -> Iterator[Pptpd]:
    """Run pptpd for one test; its log is told when something fails."""
    server = start_pptpd(lab.guest, *case.pppd_server(), listen=GUEST, local=ITS_ADDRESS, remote="10.88.0.10-20")
    try:
        yield server
    except BaseException as failure:
        failure.add_note(f"--- pptpd's pppd said:\n{server.log()}")
        raise
    finally:
        server.stop()


class PptpdTests:
    @pytest.mark.parametrize("case", CASES)
    def test_we_log_in_reach_what_lies_behind_and_hang_up(self, lab: Lab, tmp_path: Path, case: Case):
        guest, host = lab.guest, lab.host
        with nothing_left_in(host), capturing(host, tmp_path, "tap0") as capture, pptpd(lab, case) as server:
            with connected(host, tmp_path, GUEST, *case.flags(), *ROUTE) as client:
                agreed = f"MPPE {case.key_bits}-bit stateless compression enabled"
                assert (agreed in server.log()) == (case.key_bits is not None)
                assert host.ping(ITS_ADDRESS, count=3)
                assert host.ping(BEHIND_GUEST, count=3)
                listen_in_guest(guest, BEHIND_GUEST)
                said = connect_on_host(host, BEHIND_GUEST)
                assert_undamaged(heard_in_guest(guest), said)
                assert client.stop() == 0
            assert eventually(lambda: not guest.processes("pppd")), server.log()
        assert guest.processes("pppd", "pptpd", "pptpctrl") == []
        assert capture.shows(f"lcp && ppp.code == 5 && ip.src == {HOST}")
        assert capture.faults_of(HOST) == []
        assert bool(capture.shows("gre && icmp.type == 8")) == (case.key_bits is None)

    def test_the_server_stops_first(self, lab: Lab, tmp_path: Path):
        with (
            nothing_left_in(lab.host),
            capturing(lab.host, tmp_path, "tap0") as capture,
            pptpd(lab, DEFAULT) as server,
            connected(lab.host, tmp_path, GUEST, *DEFAULT.flags(), *ROUTE) as client,
        ):
            server.stop()
            assert client.exit_code() == 1
            assert "the peer ended the call" in client.log()
        assert capture.faults_of(HOST) == []

    def test_a_wrong_password_is_told_in_words(self, lab: Lab, tmp_path: Path):
        with (
            nothing_left_in(lab.host),
            pptpd(lab, DEFAULT),
            pytest.raises(AssertionError, match="the user name or password was refused"),
            connected(lab.host, tmp_path, GUEST, *DEFAULT.flags(), password="wrong"),
        ):
            pass

    def test_a_server_that_asks_for_less_is_named_in_words(self, lab: Lab, tmp_path: Path):
        with (
            nothing_left_in(lab.host),
            pptpd(lab, Case("PAP", None)),
            pytest.raises(AssertionError, match="server requires PAP; this client answers only MS-CHAPv2"),
            connected(lab.host, tmp_path, GUEST, *DEFAULT.flags()),
        ):
            pass
