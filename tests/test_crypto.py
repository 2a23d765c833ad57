"""Vectors of RFC 2433, 2759 and 3079 (with the wrong digits of the print corrected) and of real sessions."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp import crypto
from openpptp.credentials import Accepted
from openpptp.errors import Misuse

PASSWORD_HASH = bytes.fromhex("44EBBA8D5312B8D611474411F56989AE")
PASSWORD_HASH_HASH = bytes.fromhex("41C00C584BD2D91C4017A2A12FA59F3F")
AUTHENTICATOR_CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
AUTHENTICATOR_RESPONSE = bytes.fromhex("407A5589115FD0D6209F510FE9C04566932CDA56")
MASTER_KEY = bytes.fromhex("FDECE3717A8C838CB388E527AE3CDD31")
MAGIC_3_START = "8B7CDC149B993A1BA118CB153F56DCCB"
MAGIC_2_START = "D5F0E9521E3EA9589645E86051C82226"


class HashExampleTests:
    """RFC 2759 section 9.2. Hash Example."""

    def test_password_hash(self):
        assert crypto.nt_password_hash("clientPass") == PASSWORD_HASH

    def test_password_hash_hash(self):
        assert crypto.hash_nt_password_hash(PASSWORD_HASH) == PASSWORD_HASH_HASH

    def test_challenge(self):
        challenge = crypto.challenge_hash(PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, b"User")
        assert challenge.hex().upper() == "D02E4386BCE91226"

    def test_nt_response(self):
        response = crypto.generate_nt_response(AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE, b"User", PASSWORD_HASH)
        assert response == NT_RESPONSE

    @pytest.mark.parametrize("name", [b"User", b"BIGCO\\User", b"A\\B\\User"])
    def test_authenticator_response_leaves_the_domain_out(self, name):
        response = crypto.generate_authenticator_response(
            PASSWORD_HASH_HASH, NT_RESPONSE, PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, name
        )
        assert response == AUTHENTICATOR_RESPONSE

    def test_a_realm_is_part_of_the_name(self):
        assert crypto.user_name_without_domain(b"user@realm") == b"user@realm"


class DesKeyGenerationTests:
    """RFC 2759 section 9.3. Example of DES Key Generation."""

    @pytest.mark.parametrize(
        ("raw", "key"), [("FC156AF7EDCD6C", "FD0B5B5E7F6E34D9"), ("0EDDE3337D427F", "0E6E796737EA08FE")]
    )
    def test_parity_is_odd(self, raw, key):
        assert crypto.des_key(bytes.fromhex(raw)).hex().upper() == key

    @given(st.binary(min_size=7, max_size=7))
    def test_every_octet_has_an_odd_number_of_ones(self, raw):
        assert all(octet.bit_count() % 2 for octet in crypto.des_key(raw))


class MsChapV1Tests:
    """RFC 2433 appendix B.2. Hash Example; RFC 3079 section 2.5. Sample Key Derivations."""

    CHALLENGE = bytes.fromhex("102DB5DF085D3041")

    def test_nt_response(self):
        password_hash = crypto.nt_password_hash("MyPw")
        assert password_hash.hex().upper() == "FC156AF7EDCD6C0EDDE3337D427F4EAC"
        response = crypto.nt_challenge_response(self.CHALLENGE, password_hash)
        assert response.hex().upper() == "4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61"

    def test_lm_response(self):
        lm_hash = crypto.lm_password_hash("MyPw")
        assert lm_hash.hex().upper() == "75BA30198E6D1975AAD3B435B51404EE"
        response = crypto.lm_challenge_response(self.CHALLENGE, lm_hash)
        assert response.hex().upper() == "91881D0152AB0C33C524135EC24A95EE64E23CDC2D33347D"

    def test_lm_hash_knows_no_case_and_14_characters(self):
        assert crypto.lm_password_hash("clientPass").hex().upper() == "76A152936096D7830E2390227404AFD2"
        assert crypto.lm_password_hash("CLIENTpass") == crypto.lm_password_hash("clientPass")
        assert crypto.lm_password_hash("x" * 14) == crypto.lm_password_hash("X" * 300)
        assert crypto.lm_password_hash("日本") == crypto.lm_password_hash("??")

    def test_128_bit_key_as_corrected(self):
        # Step 3 is printed with ..AC CA..; step 4, a mere copy, with the right ..AC C1...
        start_key = crypto.get_start_key(self.CHALLENGE, PASSWORD_HASH_HASH)
        assert start_key.hex().upper() == "A8947850CFC0ACC1D1789FB62DDCDDB0"
        assert crypto.get_key(start_key, start_key, 16).hex().upper() == "59D159BC09F76F1DA2A86A28FFEC0B1E"

    @pytest.mark.parametrize(("bits", "key"), [(40, "D1269E538CEC4A08"), (56, "D10801538CEC4A08")])
    def test_b112_short_keys(self, bits, key):
        lm_hash = crypto.lm_password_hash("clientPass")
        session_key = crypto.get_key(lm_hash, lm_hash, 8)
        assert session_key.hex().upper() == "D80801538CEC4A08"
        assert crypto.reduce_key(session_key, bits).hex().upper() == key

    def test_start_keys_are_the_same_both_ways(self):
        lm_hash = crypto.lm_password_hash("clientPass")
        keys = crypto.mschap_v1_start_keys(PASSWORD_HASH_HASH, lm_hash, self.CHALLENGE)
        assert keys.send == keys.receive == crypto.get_start_key(self.CHALLENGE, PASSWORD_HASH_HASH)
        assert keys.send_short == keys.receive_short == lm_hash[:8]

    def test_a_real_client_of_radius(self):
        """john-radius-5: MS-CHAP-MPPE-Keys of user bob, NT part."""
        password_hash = crypto.nt_password_hash("ThisIsThePassword")
        assert crypto.hash_nt_password_hash(password_hash).hex() == "1c2e158974b065d412b4456d6ebf7574"


class KeyDerivationTests:
    """RFC 3079 section 3.5. Sample Key Derivations."""

    # key bits, server sends?, start key, session key, rc4("test message")
    SAMPLES = (
        (40, True, MAGIC_3_START[:16], "D1269EC49FA62E3E", "929137917E5803D668D75898"),
        (40, False, MAGIC_2_START[:16], "D1269ED2AE999038", "DA2FFC50B22612D41FA7F2BB"),
        # The RFC prints the last octet as 58.
        (56, True, MAGIC_3_START[:16], "D15C00C49FA62E3E", "3F106833FA448DA842BC57B8"),
        (56, False, MAGIC_2_START[:16], "D16A9BD2AE999038", "4AB6DF617437264825FB655C"),
        (128, True, MAGIC_3_START, "405CB2247A7956E6E211007AE27B22D4", "81848317DF68846272FB5ABE"),
        (128, False, MAGIC_2_START, "49D11D0F0CC6BEFBA2A9B4B688F91EEE", "B56CA95695E14ACB15F1BA3C"),
    )

    def test_master_key(self):
        assert crypto.get_master_key(PASSWORD_HASH_HASH, NT_RESPONSE) == MASTER_KEY

    @pytest.mark.parametrize(("bits", "server_sends", "start", "session", "message"), SAMPLES)
    def test_sample(self, bits, server_sends, start, session, message):
        length = 16 if bits == 128 else 8
        start_key = crypto.get_asymmetric_start_key(MASTER_KEY, length, is_send=server_sends, is_server=True)
        assert start_key.hex().upper() == start
        assert start_key == crypto.get_asymmetric_start_key(
            MASTER_KEY, length, is_send=not server_sends, is_server=False
        )
        session_key = crypto.reduce_key(crypto.get_new_key_from_sha(start_key, start_key, length), bits)
        assert session_key.hex().upper() == session
        assert crypto.rc4_encrypt(session_key, b"test message").hex().upper() == message

    def test_b114_keys_follow_who_authenticated(self):
        authenticator = crypto.mschap_v2_start_keys(PASSWORD_HASH_HASH, NT_RESPONSE, authenticator=True)
        peer = crypto.mschap_v2_start_keys(PASSWORD_HASH_HASH, NT_RESPONSE, authenticator=False)
        assert authenticator.send.hex().upper() == peer.receive.hex().upper() == MAGIC_3_START
        assert authenticator.receive.hex().upper() == peer.send.hex().upper() == MAGIC_2_START
        assert authenticator.send_short == peer.receive_short == authenticator.send[:8]
        assert authenticator.receive_short == peer.send_short == authenticator.receive[:8]

    def test_keys_are_not_shown(self):
        keys = crypto.mschap_v2_start_keys(PASSWORD_HASH_HASH, NT_RESPONSE, authenticator=True)
        assert repr(Accepted("User", keys=keys)) == repr(Accepted("User"))


class RealSession(NamedTuple):
    user: bytes
    password: str
    authenticator_challenge: str
    peer_challenge: str
    master_key: str | None
    response: str


REAL_SESSIONS = (
    RealSession(
        b"lulu",
        "password",
        "95a87fa62ebcd2e3c8b09e1b448a6c72",
        "e2ae0995eaac6ceff0d9757428b51509",
        "01e3368b81a41d667d97ea8d822bbb4f",
        "460874E1CADF35FBD9F6E80C01A1ADC5746F0B6A",
    ),
    RealSession(
        b"scott",
        "turquoise",
        "e3a5d0775370bda51e16219a06b0278f",
        "84c4b33e00d9231645598acf91c38480",
        "1793822232ffc3330c9200298f2ce67a",
        "CEE89947F2DCA18C95F551C2E9E676504112C722",
    ),
    RealSession(
        b"bob",
        "ThisIsThePassword",
        "57c33d95483b4644021f8b633a6585ca",
        "c2c10a4bd1bf1aac87b5c954e511eabb",
        None,
        "7AD859CE1BB42FDDE9FF66613C6306F1B1E40D8A",
    ),
)


class RealSessionTests:
    """Windows 7 to pptpd, Windows XP to a Colubris box, a client of RADIUS."""

    @pytest.mark.parametrize("session", REAL_SESSIONS, ids=lambda session: session.user.decode())
    def test_authenticator_response_and_master_key(self, session):
        password_hash = crypto.nt_password_hash(session.password)
        password_hash_hash = crypto.hash_nt_password_hash(password_hash)
        theirs, ours = bytes.fromhex(session.authenticator_challenge), bytes.fromhex(session.peer_challenge)
        nt_response = crypto.generate_nt_response(theirs, ours, session.user, password_hash)
        response = crypto.generate_authenticator_response(password_hash_hash, nt_response, ours, theirs, session.user)
        assert response.hex().upper() == session.response
        if session.master_key is not None:
            assert crypto.get_master_key(password_hash_hash, nt_response).hex() == session.master_key

    def test_the_send_and_receive_keys_radius_gave(self):
        bob = REAL_SESSIONS[2]
        nt_response = bytes.fromhex("79b3d36c66da8b5e9bda94780aa22036b447367f79b136b9")
        password_hash = crypto.nt_password_hash(bob.password)
        theirs, ours = bytes.fromhex(bob.authenticator_challenge), bytes.fromhex(bob.peer_challenge)
        assert crypto.generate_nt_response(theirs, ours, bob.user, password_hash) == nt_response
        password_hash_hash = crypto.hash_nt_password_hash(password_hash)
        keys = crypto.mschap_v2_start_keys(password_hash_hash, nt_response, authenticator=True)
        assert keys.receive.hex() == "74b156159be8e96a896229ab7dab05af"
        assert keys.send.hex() == "21f8810c09a74e1c6a69efd5ff94cf07"


class PasswordTests:
    """RFC 2759 section 8.3: 0-to-256-unicode-char Password."""

    def test_b080_empty_password_is_the_hash_of_nothing(self):
        assert crypto.nt_password_hash("").hex() == "31d6cfe0d16ae931b73c59d7e0c089c0"

    def test_b080_256_characters_fit_and_257_do_not(self):
        assert crypto.nt_password_hash("x" * 256) != crypto.nt_password_hash("x" * 255)
        with pytest.raises(Misuse):
            crypto.nt_password_hash("x" * 257)

    def test_b080_characters_beyond_the_bmp_count_twice(self):
        crypto.nt_password_hash("\N{GRINNING FACE}" * 128)
        with pytest.raises(Misuse):
            crypto.nt_password_hash("\N{GRINNING FACE}" * 129)

    def test_b080_surrogate_pair_and_the_character_are_the_same_octets(self):
        assert crypto.nt_password_hash("\ud83d\ude00") == crypto.nt_password_hash("\N{GRINNING FACE}")

    def test_b080_a_lone_surrogate_is_kept(self):
        assert crypto.nt_password_hash("\ud83d") != crypto.nt_password_hash("?")

    @given(st.text(max_size=128))
    def test_any_password_of_128_characters_has_a_hash(self, password):
        assert len(crypto.nt_password_hash(password)) == len(crypto.lm_password_hash(password)) == 16


class ChapMd5Tests:
    """RFC 1994 section 4.1."""

    def test_identifier_secret_and_challenge_in_this_order(self):
        # md5sum of the octets 01 73 65 63 72 65 74 and 00 to 0f
        challenge = bytes(range(16))
        assert crypto.chap_md5_response(1, b"secret", challenge).hex() == "740e86463bda3a4d7017d6e0fba0699d"
