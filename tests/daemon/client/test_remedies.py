"""Which option is named for what a server wanted, and that its danger is named with it."""

import pytest

from openpptp.daemon.client.remedies import with_remedy
from openpptp.daemon.connect_request import ConnectRequest
from openpptp.errors import EndReason
from openpptp.tunnel.outputs import SessionEnded

UNSUITABLE, CLEAR = EndReason.AUTHENTICATION_UNSUITABLE, EndReason.ENCRYPTION_UNSUITABLE


def told(reason: EndReason, *offered: str, **how: object) -> str:
    """Return what the user reads of an end."""
    return with_remedy(SessionEnded(1, None, reason, "why", offered), ConnectRequest(("h",), "u", "p", **how))


class RemedyTests:
    """The words behind what happened."""

    @pytest.mark.parametrize(
        ("method", "option", "danger"),
        [
            ("PAP", "--allow-method PAP --encryption off", "the password in clear"),
            ("CHAP-MD5", "--allow-method CHAP-MD5 --encryption off", "all data in clear"),
            ("MS-CHAPv1", "--allow-method MS-CHAPv1", "gives away a key as good as the password"),
            ("none", "--allow-method CHAP-MD5 --encryption off", "all data in clear"),
        ],
    )
    def test_a_weaker_log_in_costs_something_and_lets_anybody_be_the_server(self, method, option, danger):
        words = told(UNSUITABLE, method)
        assert words.startswith(f"why; {option} would ")
        assert danger in words
        assert words.endswith("anybody on the way can then pass for that server")

    def test_the_strongest_costs_nothing(self):
        assert told(UNSUITABLE, "MS-CHAPv2") == "why; --allow-method MS-CHAPv2 would log in"

    @pytest.mark.parametrize("method", ["EAP", "authentication 0xc22399"])
    def test_what_we_have_not_got_is_the_servers_to_mend(self, method):
        assert told(UNSUITABLE, method).endswith("let the server allow MS-CHAPv2 for this user")

    def test_the_longest_of_the_short_keys_is_named(self):
        assert "--key-bits 56 would agree" in told(CLEAR, "56", "40")

    def test_a_length_that_is_allowed_already_is_no_remedy(self):
        assert "--encryption optional" in told(CLEAR, "40", key_bits=frozenset({40, 128}))

    def test_none_at_all_goes_in_clear(self):
        assert told(CLEAR, "none") == ("why; --encryption optional would go on without, but sends all data in clear")

    @pytest.mark.parametrize("reason", [EndReason.SERVER_NOT_GENUINE, EndReason.PEER_REQUEST, UNSUITABLE, CLEAR])
    def test_for_other_ends_there_is_none(self, reason):
        assert told(reason) == "why"
