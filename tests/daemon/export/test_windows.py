"""Lines for PowerShell."""

import re
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from tests.daemon.export.accesses import HOSTILE, access, printable

from openpptp.credentials import AuthMethod
from openpptp.daemon.export.windows import quote, recipe
from openpptp.errors import SetupError

QUOTES = "'\u2018\u2019\u201a\u201b"


def powershell_words(line: str) -> list[str]:
    """Split a line as PowerShell's tokenizer does, as far as single quotes go."""
    words, position = [], 0
    while position < len(line):
        if line[position] == " ":
            position += 1
            continue
        if line[position] not in QUOTES:
            word = re.match(r"[^ ]+", line[position:])[0]
            assert re.fullmatch(r"[A-Za-z0-9.*/:-]+", word), word
            words.append(word)
            position += len(word)
            continue
        position, word = position + 1, ""
        while True:
            if line[position] in QUOTES:
                if line[position + 1 : position + 2] not in tuple(QUOTES):
                    break
                position += 1
            word += line[position]
            position += 1
        words.append(word)
        position += 1
    return words


class RecipeTests:
    """Add-VpnConnection and rasdial."""

    def test_the_lines(self):
        assert recipe(access()).paste == (
            "Add-VpnConnection -Name openpptp -ServerAddress 203.0.113.1 -TunnelType Pptp -EncryptionLevel Required "
            "-AuthenticationMethod MSChapv2 -Force",
            "rasdial openpptp anna *",
        )

    def test_split_tunnel(self):
        add, route, _ = recipe(access(routes=(IPv4Network("10.0.0.0/8"),))).paste
        assert add.endswith("-SplitTunneling -Force")
        assert route == "Add-VpnConnectionRoute -ConnectionName openpptp -DestinationPrefix 10.0.0.0/8"

    def test_the_file_is_a_script_that_says_how_to_undo_it(self):
        made = recipe(access(default_route=True))
        lines = made.file.splitlines()
        assert [line for line in lines if not line.startswith("#")] == list(made.paste)
        assert "#   Remove-VpnConnection -Name openpptp -Force" in lines
        assert "# Everything goes through the tunnel." in lines

    def test_a_server_without_encryption(self):
        made = recipe(access(methods=(AuthMethod.PAP,), encryption="off"))
        assert "-EncryptionLevel NoEncryption -AuthenticationMethod Pap" in made.paste[0]
        assert "# Nothing is encrypted" in made.file
        assert "# The password crosses the network in clear text (PAP)." in made.file

    def test_a_password_is_in_it_only_when_given(self):
        assert recipe(access(password="it's me")).paste[-1] == "rasdial openpptp anna 'it''s me'"

    @pytest.mark.parametrize("password", ['a"b', "a\\", "/a", "*"])
    def test_a_password_that_would_not_arrive_is_refused_without_showing_it(self, password):
        with pytest.raises(SetupError, match="leave --password-file out") as error:
            recipe(access(password=f"{password}"))
        assert f" {password} " not in str(error.value)


class QuoteTests:
    """Single quotes, the curly ones among them."""

    @pytest.mark.parametrize("user", HOSTILE)
    def test_a_user_is_one_word(self, user):
        *_, dial = recipe(access(user)).paste
        damaged = '"' in user or user.endswith("\\") or user.startswith("/")
        expected = ["rasphone", "-d", "openpptp"] if damaged else ["rasdial", "openpptp", user, "*"]
        assert powershell_words(dial) == expected

    @given(printable)
    def test_any_text_comes_back(self, text):
        assert powershell_words(quote(text)) == [text]
