"""RFC 1994 with MD5: what the algorithm adds."""

from openpptp.credentials import AuthMethod, ChapMd5Presented
from openpptp.ppp.auth.chap import Attempt
from openpptp.ppp.auth.chap_md5 import ChapMd5Algorithm, ChapMd5Responder

ATTEMPT = Attempt(7, b"challenge", bytes(16))


class AlgorithmTests:
    """4.1. Challenge and Response."""

    def test_the_question_carries_what_the_digest_needs(self):
        presented = ChapMd5Algorithm().presented(ATTEMPT, b"User")
        assert presented == ChapMd5Presented(b"User", 7, b"challenge", bytes(16))

    def test_both_parts_name_the_method(self):
        assert ChapMd5Algorithm.method is ChapMd5Responder.method is AuthMethod.CHAP_MD5

    def test_no_keys_and_no_proof_of_the_server(self):
        responder = ChapMd5Responder(b"secret")
        assert responder.keys(ATTEMPT) is None
        assert responder.is_genuine(ATTEMPT, b"anything")

    def test_a_failure_without_words(self):
        assert ChapMd5Responder(b"secret").refusal(b"") == "the server refused our user name or password"
