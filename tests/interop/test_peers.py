"""The harness itself: the real peers work together without us, so a failure elsewhere is ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.bulk import assert_undamaged, connect_in_guest, heard_in_guest, listen_in_guest
from tests.interop.conftest import Lab
from tests.interop.guest import GuestError
from tests.interop.peers import connect_pptp_linux, start_pptpd

pytestmark = pytest.mark.interop


class GuestTests:
    def test_output_and_status_of_a_command_come_back(self, lab: Lab):
        finished = lab.guest.run("echo out; echo error >&2; exit 7", check=False)
        assert (finished.status, finished.output) == (7, "out\nerror\n")

    def test_a_command_that_takes_too_long_is_ended(self, lab: Lab):
        assert lab.guest.run("echo begun; sleep 60", timeout=0.5, check=False).status == 124
        assert not lab.guest.processes("sleep") or lab.guest.run("pgrep -fx 'sleep 60'", check=False).status != 0

    def test_what_it_writes_does_not_reach_the_host(self, lab: Lab):
        lab.guest.run("echo changed >>/etc/hosts")
        assert "changed" not in Path("/etc/hosts").read_text()


@pytest.fixture(scope="module")
def wire(lab: Lab) -> Iterator[None]:
    """Two namespaces of the guest, joined by a cable."""
    lab.guest.run("""set -e
        ip netns add server; ip netns add client
        ip link add server0 netns server type veth peer name client0 netns client
        ip -n server address add 10.98.0.1/24 dev server0; ip -n server link set server0 up
        ip -n client address add 10.98.0.2/24 dev client0; ip -n client link set client0 up""")
    yield
    lab.guest.run("ip netns del server; ip netns del client")


@pytest.mark.usefixtures("wire")
class PeersWithoutUsTests:
    """pptp-linux + pppd to pptpd + pppd, in two namespaces of the guest."""

    def test_they_log_in_encrypt_transfer_and_part(self, lab: Lab):
        guest = lab.guest
        pptpd = start_pptpd(
            *(guest, "require-mschap-v2", "require-mppe-128"),
            listen="10.98.0.1",
            local="10.88.0.1",
            remote="10.88.0.10-20",
            namespace="server",
        )
        try:
            session = connect_pptp_linux(guest, "10.98.0.1", "require-mppe-128", "refuse-eap", namespace="client")
            assert "MPPE 128-bit stateless compression enabled" in session.log()
            guest.run("ip netns exec client ping -c2 -i0.2 -W2 10.88.0.1")
            listen_in_guest(guest, "10.88.0.1", 1_000_000, prefix="ip netns exec server ")
            said = connect_in_guest(guest, "10.88.0.1", 1_000_000, prefix="ip netns exec client ")
            assert_undamaged(heard_in_guest(guest), said)
            session.hang_up()
        finally:
            pptpd.stop()
        assert guest.processes("pppd", "pptpd", "pptpctrl", "pptp") == []

    def test_a_wrong_password_is_told_with_the_log(self, lab: Lab):
        pptpd = start_pptpd(
            *(lab.guest, "require-mschap-v2", "require-mppe-128"),
            listen="10.98.0.1",
            local="10.88.0.1",
            remote="10.88.0.10-20",
            namespace="server",
        )
        try:
            with pytest.raises(GuestError, match="CHAP authentication failed"):
                connect_pptp_linux(lab.guest, "10.98.0.1", "require-mppe-128", password="x", namespace="client")
        finally:
            pptpd.stop()
