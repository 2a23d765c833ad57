"""The process in the network namespace, its pure parts; the rest is seen in tests/netns/test_one_program.py."""

import pytest

from openpptp.daemon.client.enclosed import exit_code, nsswitch


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("hosts: files dns", "hosts: files dns"),
        ("hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns", "hosts: files myhostname dns"),
        ("hosts:  files mdns4_minimal [NOTFOUND=return] resolve", "hosts: files dns"),
    ],
)
def test_names_are_asked_of_no_service_of_the_host(line, becomes):
    assert nsswitch(f"passwd: files systemd\n{line}\n# hosts: x\n") == f"passwd: files systemd\n# hosts: x\n{becomes}\n"


def test_without_a_file_there_are_files_and_dns():
    assert nsswitch("") == "hosts: files dns\n"


@pytest.mark.parametrize(("returned", "code"), [(0, 0), (7, 7), (-9, 137), (-15, 143)])
def test_an_end_by_a_signal_is_128_and_its_number(returned, code):
    assert exit_code(returned) == code
