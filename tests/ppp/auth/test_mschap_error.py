"""RFC 2433 section 8 and RFC 2759 section 6: error codes in words."""

import pytest

from openpptp.ppp.auth.mschap_error import failure_words


class FailureWordsTests:
    """R-128."""

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            (646, "this account may not log in at this hour"),
            (647, "this account is disabled"),
            (649, "this account has no permission to dial in"),
            (691, "wrong user name or password"),
            (709, "the server could not change the password"),
        ],
    )
    def test_each_known_code_has_words(self, code, words):
        assert failure_words(f"E={code} R=0 V=3".encode()) == f"{words} (error {code})"

    def test_b085_an_expired_password_says_what_to_do(self):
        text = failure_words(b"E=648 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=Password expired")
        assert text.startswith("the password has expired; change it")
        assert text.endswith("(error 648, Password expired)")

    def test_an_unknown_code_is_shown(self):
        assert failure_words(b"E=31337 R=0") == "refused for a reason this client does not know (error 31337)"

    @pytest.mark.parametrize(
        ("data", "words"),
        [(b"", "the server refused us without a reason"), (b"go\x07away\xff", "the server refused us: go\\x07away�")],
    )
    def test_a_failure_without_code_is_quoted_in_printable_form(self, data, words):
        assert failure_words(data) == words
