from ipaddress import IPv4Address

import pytest

from openpptp.daemon.listening import listen
from openpptp.errors import SetupError


class ListenTests:
    """B-146 and the other ways in which the port is not to be had."""

    def test_a_taken_port_names_the_port_and_the_remedy(self):
        with listen(IPv4Address("127.0.0.1"), 0) as first:
            first.listen()
            with pytest.raises(SetupError, match=r"TCP port \d+ is taken .* ss -ltnp"):
                listen(IPv4Address("127.0.0.1"), first.getsockname()[1])

    def test_a_foreign_address_is_a_wrong_setting(self):
        with pytest.raises(SetupError, match=r"192\.0\.2\.1 is not an address of this machine") as caught:
            listen(IPv4Address("192.0.2.1"), 0)
        assert caught.value.exit_code == 2
