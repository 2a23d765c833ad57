"""One notation for what a user may, read and written alike."""

import contextlib
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpptp.backends.hours import Hours, Span
from openpptp.backends.policy import (
    ITEMS,
    NOTHING,
    Policy,
    UnknownItem,
    UnusablePolicy,
    parse,
    read_words,
)
from openpptp.backends.policy_values import Period, Quota, SessionLimit, Way

WHOLE = (
    "address 10.0.0.7 pool office route 192.168.5.0/24,10.1.0.0/16 dns 9.9.9.9,1.1.1.1 wins 10.0.0.5 "
    "rate 10mbit/2mbit burst 64KiB/16KiB quota 10GiB/month sessions 1/replace "
    "hours mon-fri/08:00-18:00,sat/09:00-12:00 idle 30m maxconnect 8h expires 2027-01-31 disabled yes"
)

hosts = st.integers(0x0A000000, 0x0AFFFFFF).map(IPv4Address)
networks = st.tuples(hosts, st.integers(9, 32)).map(lambda pair: IPv4Network(pair, strict=False))


def ways(least: int, most: int) -> st.SearchStrategy:
    ends = st.none() | st.integers(least, most)
    return st.builds(Way, ends, ends).filter(lambda way: way != Way(None, None))


spans = st.builds(Span, st.integers(0, 6), st.integers(0, 6), st.integers(0, 1439), st.integers(0, 1440)).map(
    lambda span: Span(0, 6, span.begin, span.end) if (span.last - span.first) % 7 == 6 else span
)
values = {
    "address": hosts,
    "pool": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(lambda name: name != "none"),
    "route": st.lists(networks, min_size=1, max_size=5, unique=True).map(tuple),
    "dns": st.lists(hosts, min_size=1, max_size=2).map(tuple),
    "wins": st.lists(hosts, min_size=1, max_size=2).map(tuple),
    "rate": ways(8000, 10**12),
    "burst": ways(3000, 2**30),
    "quota": st.builds(Quota, st.integers(2**20, 2**60), st.none() | st.sampled_from(Period)),
    "sessions": st.builds(SessionLimit, st.integers(1, 65535), st.booleans()),
    "hours": st.lists(spans, min_size=1, max_size=4, unique=True).map(lambda found: Hours(tuple(found))),
    "idle": st.integers(1, 10 * 365 * 86400),
    "maxconnect": st.integers(1, 10 * 365 * 86400),
    "expires": st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(
        lambda moment: moment.replace(second=0, microsecond=0)
    ),
    "disabled": st.booleans(),
}


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    said = draw(st.sets(st.sampled_from(list(ITEMS))))
    lifted = draw(st.sets(st.sampled_from(list(ITEMS)))) - said
    return Policy(**{name: draw(values[name]) for name in said}, lifted=frozenset(lifted))


class NotationTests:
    def test_all_of_it(self):
        policy = parse(WHOLE)
        assert str(policy) == WHOLE
        assert policy.rate == Way(10_000_000, 2_000_000)
        assert policy.quota == Quota(10 * 2**30, Period.MONTH)
        assert policy.route == (IPv4Network("192.168.5.0/24"), IPv4Network("10.1.0.0/16"))
        assert (policy.idle, policy.maxconnect, policy.disabled) == (1800, 8 * 3600, True)

    @given(policies())
    def test_what_is_written_is_read_back(self, policy):
        assert parse(str(policy)) == policy

    @given(policies())
    def test_it_is_words_without_quotes_in_any_file(self, policy):
        from openpptp.backends.secrets_words import quote

        assert all(quote(word) == word.encode() for word in str(policy).split())

    @given(st.text(max_size=40))
    def test_any_text_is_read_or_refused_in_words(self, text):
        for name in ITEMS:
            with contextlib.suppress(UnusablePolicy):
                policy = NOTHING.said(name, text)
                assert parse(str(policy)) == policy

    def test_nothing_is_said_by_no_word(self):
        assert (parse(""), str(NOTHING)) == (NOTHING, "")

    def test_the_order_does_not_matter_and_the_later_word_counts(self):
        assert parse("idle 5m rate 1mbit idle 10m") == parse("rate 1mbit idle 600")

    @pytest.mark.parametrize("text", ["idle 0", "idle none"])
    def test_0_is_pppds_word_for_none(self, text):
        assert str(parse(text)) == "idle none"

    def test_a_word_nobody_knows_ends_the_reading(self):
        policy, unknown = read_words(["idle", "5m", "idel", "3m", "rate", "1mbit"])
        assert str(policy) == "idle 5m"
        assert "did you mean idle?" in str(unknown)
        with pytest.raises(UnknownItem):
            parse("idel 3m")

    @pytest.mark.parametrize(("text", "words"), [("rate", "a word is missing"), ("idle soon", "is no time")])
    def test_an_item_that_cannot_be_read_is_named(self, text, words):
        with pytest.raises(UnusablePolicy, match=words):
            parse(text)

    def test_every_item_is_explained(self):
        assert all(item.help.endswith(".") and item.metavar for item in ITEMS.values())


class OverTests:
    """What holds for one where something holds for everybody."""

    def test_his_own_words_come_first(self):
        assert str(parse("idle 5m").over(parse("idle 10m rate 1mbit"))) == "rate 1mbit idle 5m"

    def test_none_lifts_what_holds_for_everybody(self):
        assert str(parse("idle none").over(parse("idle 10m rate 1mbit"))) == "rate 1mbit idle none"

    @given(policies(), policies())
    def test_everybodys_counts_where_his_own_says_nothing(self, own, everybody):
        whole = own.over(everybody)
        for name in ITEMS:
            expected = getattr(own, name)
            if expected is None and name not in own.lifted:
                expected = getattr(everybody, name)
            assert getattr(whole, name) == expected

    def test_clearing_says_nothing(self):
        assert parse("idle 5m rate none").cleared("rate").cleared("idle") == NOTHING
