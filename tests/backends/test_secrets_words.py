"""pppd's words: quotes, escapes, comments, joined lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.backends.secrets_words import quote, split_lines


def words(data: bytes) -> list[list[bytes]]:
    return [[bytes(word.octets) for word in line.words] for line in split_lines(data) if line.words]


class WordTests:
    """pppd(8): how an options or secrets file is split."""

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"a b c", [b"a", b"b", b"c"]),
            (b"  a\tb\v c\r\n", [b"a", b"b", b"c"]),
            (b'"a b" c', [b"a b", b"c"]),
            (b"'a \"b' c", [b'a "b', b"c"]),
            (b'a"b c"d', [b"ab cd"]),
            (b"a'b c'\"d e\"f", [b"ab cd ef"]),
            (b'""', [b""]),
            (b"a # comment", [b"a"]),
            (b"pass#word", [b"pass"]),
            (b"pass\\#word", [b"pass#word"]),
            (b'"pass#word"', [b"pass#word"]),
            (b"a\\ b", [b"a b"]),
            (b"\\a\\b\\f\\n\\r\\s\\t", [b"\a\b\f\n\r \t"]),
            (b'"\\a\\b\\f\\n\\r\\s\\t"', [b"\a\b\f\n\r \t"]),
            (b"\\101\\1012\\7x\\777", [b"AA2\x07x\xff"]),
            (b"\\x41\\x4g\\xC3\\xa9", [b"A\x04g\xc3\xa9"]),
            (b"DOMAIN\\\\user", [b"DOMAIN\\user"]),
            (b"\\q\\\"\\'", [b"q\"'"]),
            (b"ab\\\ncd e", [b"abcd", b"e"]),
            (b"ab \\\n cd", [b"ab", b"cd"]),
            (b"\\\nab", [b"ab"]),
            (b'"ab\\\ncd"', [b"abcd"]),
            ("Jörg Grüße".encode(), ["Jörg".encode(), "Grüße".encode()]),
            (b"a\\", [b"a"]),
        ],
    )
    def test_a_line(self, data, expected):
        assert words(data) == [expected]

    def test_a_comment_does_not_continue_on_the_next_line(self):
        assert words(b"# note \\\na b\n") == [[b"a", b"b"]]

    @pytest.mark.parametrize("data", [b"", b"\n\n", b"# only\n", b" \t\n\\\n\n"])
    def test_nothing(self, data):
        assert words(data) == []

    def test_lines_are_numbered_by_where_they_begin(self):
        lines = list(split_lines(b"# one\na \\\n b\n\nc"))
        assert [(line.number, len(line.words)) for line in lines] == [(1, 0), (2, 2), (4, 0), (5, 1)]

    @pytest.mark.parametrize("quoting", [b'"', b"'"])
    def test_an_open_quote_spoils_its_own_line_only(self, quoting):
        lines = list(split_lines(b"a * " + quoting + b"open\nb * secret *\n"))
        assert lines[0].defect == "a quote is not closed on its line"
        assert (lines[1].number, lines[1].defect, len(lines[1].words)) == (2, None, 4)

    @pytest.mark.parametrize("data", [b'a "open', b"a 'open"])
    def test_an_open_quote_at_the_end_of_the_file(self, data):
        (line,) = split_lines(data)
        assert line.defect is not None
        assert line.end == len(data)

    def test_a_word_of_1023_octets_is_the_longest(self):
        (fits,), (long,) = split_lines(b"x" * 1023), split_lines(b"x" * 1024)
        assert fits.defect is None
        assert long.defect is not None

    @given(st.binary())
    def test_b077_any_octets_split_into_lines_that_cover_them(self, data):
        lines = list(split_lines(data))
        assert b"".join(data[line.start : line.end] for line in lines) == data

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
    def test_what_is_quoted_reads_back(self, values):
        assert words(b" ".join(map(quote, values))) == [[value.encode() for value in values]]

    def test_plain_words_are_not_quoted(self):
        assert quote("user@realm-1_x.y") == b"user@realm-1_x.y"
        assert quote("*") == b"*"
        assert quote('a"b\\c#') == b'"a\\"b\\\\c#"'
