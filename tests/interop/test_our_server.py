"""pptp-linux 1.10 + pppd 2.4.9 log in to our server."""

from pathlib import Path

import pytest
from tests.interop.bulk import assert_undamaged, connect_in_guest, listen_on_host
from tests.interop.capture import capturing
from tests.interop.cases import CASES, Case
from tests.interop.conftest import HOST, WORLD, Lab
from tests.interop.guest import GuestError
from tests.interop.ours import nothing_left_in, serving
from tests.interop.peers import connect_pptp_linux
from tests.netns.programs import OUR_ADDRESS

pytestmark = pytest.mark.interop

DEFAULT = Case("MS-CHAPv2", 128)


class PptpLinuxTests:
    @pytest.mark.parametrize("case", CASES)
    def test_it_logs_in_reaches_the_world_and_hangs_up(self, lab: Lab, tmp_path: Path, case: Case):
        guest, host = lab.guest, lab.host
        with nothing_left_in(host), capturing(host, tmp_path, "tap0") as capture:
            with serving(host, tmp_path, auth=case.settings()) as server:
                session = connect_pptp_linux(guest, HOST, *case.pppd_client())
                agreed = f"MPPE {case.key_bits}-bit stateless compression enabled"
                assert (agreed in session.log()) == (case.key_bits is not None)
                guest.run(f"ping -c3 -i0.2 -W2 {OUR_ADDRESS}")
                guest.run(f"ip route add {WORLD} dev {session.interface}; ping -c3 -i0.2 -W2 {WORLD}")
                listener = listen_on_host(host, OUR_ADDRESS, tmp_path)
                said = connect_in_guest(guest, OUR_ADDRESS)
                assert listener.exit_code() == 0
                assert_undamaged(listener.log(), said)
                session.hang_up()
                server.says("reason=peer-request")
                assert server.stop() == 0
            assert guest.processes("pppd", "pptp") == []
        assert capture.faults_of(HOST) == []
        assert bool(capture.shows("gre && icmp.type == 8")) == (case.key_bits is None)

    def test_the_server_stops_first(self, lab: Lab, tmp_path: Path):
        with nothing_left_in(lab.host), capturing(lab.host, tmp_path, "tap0") as capture:
            with serving(lab.host, tmp_path, auth=DEFAULT.settings()) as server:
                session = connect_pptp_linux(lab.guest, HOST, *DEFAULT.pppd_client())
                assert server.stop() == 0
                assert session.ended(), session.log()
            assert lab.guest.processes("pppd", "pptp") == []
        assert capture.shows(f"lcp && ppp.code == 5 && ip.src == {HOST}")
        assert capture.faults_of(HOST) == []

    def test_two_log_in_one_after_the_other(self, lab: Lab, tmp_path: Path):
        """What one session leaves does not hinder the next."""
        with nothing_left_in(lab.host), serving(lab.host, tmp_path, auth=DEFAULT.settings()) as server:
            for _ in range(2):
                session = connect_pptp_linux(lab.guest, HOST, *DEFAULT.pppd_client())
                lab.guest.run(f"ping -c1 -W2 {OUR_ADDRESS}")
                session.hang_up()
            assert server.stop() == 0

    def test_a_wrong_password_is_refused(self, lab: Lab, tmp_path: Path):
        with nothing_left_in(lab.host), serving(lab.host, tmp_path, auth=DEFAULT.settings()) as server:
            with pytest.raises(GuestError, match="E=691 R=0"):
                connect_pptp_linux(lab.guest, HOST, *DEFAULT.pppd_client(), password="wrong")
            server.says("authentication-refused")
            assert server.stop() == 0

    def test_a_method_that_is_not_allowed_is_named_on_both_sides(self, lab: Lab, tmp_path: Path):
        with nothing_left_in(lab.host), serving(lab.host, tmp_path, auth=DEFAULT.settings()) as server:
            with pytest.raises(GuestError, match="MS-CHAPv2"):
                connect_pptp_linux(lab.guest, HOST, *Case("PAP", None).pppd_client())
            server.says("offers only PAP; this server requires MS-CHAPv2")
            assert server.stop() == 0
