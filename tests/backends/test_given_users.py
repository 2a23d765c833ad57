"""Users a program names, judged as those of a file are."""

import pytest
from tests.backends.test_users import pap

from openpptp import crypto
from openpptp.backends.given_users import GivenUsers, User
from openpptp.backends.known import Admitted
from openpptp.backends.policy import NOTHING, parse
from openpptp.backends.proof import Secret
from openpptp.credentials import Refused
from openpptp.errors import SetupError


class JudgementTests:
    def test_the_right_password_is_admitted_with_its_policy(self):
        users = GivenUsers({"ann": User("x", policy="rate 1mbit"), "bob": "y"})
        admitted = users.judge(pap(b"ann", "x"))
        assert isinstance(admitted, Admitted)
        assert (admitted.user, admitted.policy) == ("ann", parse("rate 1mbit"))
        assert users.policy_of("bob") == NOTHING

    def test_a_wrong_password_and_an_unknown_user_are_told_apart_in_the_log_only(self):
        users = GivenUsers({"ann": "x"})
        wrong, unknown = users.judge(pap(b"ann", "y")), users.judge(pap(b"eve", "y"))
        assert isinstance(wrong, Refused)
        assert isinstance(unknown, Refused)
        assert (wrong.message, wrong.error_code) == (unknown.message, unknown.error_code)
        assert wrong.detail == "wrong password for user 'ann'"
        assert unknown.detail == "unknown user 'eve'"

    def test_an_unknown_user_costs_the_same_work(self, monkeypatch):
        compared = []
        monkeypatch.setattr(crypto, "equal", lambda one, other: compared.append((len(one), len(other))))
        users = GivenUsers({"ann": "x"})
        users.judge(pap(b"ann", "y"))
        users.judge(pap(b"eve", "y"))
        assert compared[0] == compared[1]

    def test_a_name_that_is_no_utf_8_is_nobodys(self):
        def look_up(name):
            raise AssertionError(name)

        assert isinstance(GivenUsers(look_up).judge(pap(b"\xff", "x")), Refused)

    def test_the_hash_is_enough_for_pap_as_well(self):
        users = GivenUsers({"ann": User(nt_hash=Secret("x").password_hash())})
        assert isinstance(users.judge(pap(b"ann", "x")), Admitted)

    def test_who_is_in_the_mapping_counts_as_of_now(self):
        names = {}
        users = GivenUsers(names)
        assert users.policy_of("ann") is None
        names["ann"] = "x"
        assert users.policy_of("ann") == NOTHING
        users.refresh()
        assert not users.changed()


class UserTests:
    def test_a_policy_that_cannot_be_read_is_refused_where_it_is_said(self):
        with pytest.raises(SetupError, match="rate"):
            User("x", policy="rate fast")
        with pytest.raises(ValueError, match="NT hash"):
            User(policy="rate 1mbit")

    def test_no_secret_is_shown(self):
        assert "secret" not in repr(User("secret", nt_hash=b"secretsecretsecr"))
