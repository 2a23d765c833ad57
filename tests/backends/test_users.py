"""Users checked against a secrets file, with every method, while the file changes."""

import os
import sqlite3
import struct
from ipaddress import IPv4Address

import pytest
from tests.machine import need_captures

from openpptp import crypto
from openpptp.backends import users_store
from openpptp.backends.known import Admitted
from openpptp.backends.policy import parse
from openpptp.backends.users import SecretsUsers, Users, open_users
from openpptp.backends.users_store import UsersStore
from openpptp.credentials import (
    ChapMd5Presented,
    MsChapV1Presented,
    MsChapV2Presented,
    PapPresented,
    Presented,
    Refused,
)
from openpptp.errors import SetupError
from openpptp.wire import gre
from openpptp.wire.auth import ChapCode, ChapValue, MsChapV2Response, MsChapV2Success
from openpptp.wire.ppp import Packet, Protocol, decode_frame

FILE = b"""User * clientPass *
DOM\\\\both * whole *
both * part *
fixed * x 10.0.0.7
nowhere * x
elsewhere other x *
"""
CHALLENGE, PEER_CHALLENGE = bytes(range(16)), bytes(range(16, 32))


def pap(user: bytes, password: str) -> Presented:
    return PapPresented(user, password.encode())


def chap_md5(user: bytes, password: str) -> Presented:
    return ChapMd5Presented(user, 7, CHALLENGE, crypto.chap_md5_response(7, password.encode(), CHALLENGE))


def mschap_v1(user: bytes, password: str) -> Presented:
    response = crypto.nt_challenge_response(CHALLENGE[:8], crypto.nt_password_hash(password))
    return MsChapV1Presented(user, CHALLENGE[:8], bytes(24), response, use_nt_response=True)


def mschap_v2(user: bytes, password: str) -> Presented:
    password_hash = crypto.nt_password_hash(password)
    response = crypto.generate_nt_response(CHALLENGE, PEER_CHALLENGE, user, password_hash)
    return MsChapV2Presented(user, CHALLENGE, PEER_CHALLENGE, response)


every_method = pytest.mark.parametrize("present", [pap, chap_md5, mschap_v1, mschap_v2])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "chap-secrets"
    path.write_bytes(FILE)
    path.chmod(0o600)
    return path


@pytest.fixture
def reports():
    return []


@pytest.fixture
def users(file, reports):
    users = SecretsUsers(file, "openpptp", reports.append)
    reports.clear()
    return users


def rewrite(file, data):
    """Write the file again, with another time of change whatever the clock's grain."""
    before = file.stat().st_mtime_ns
    file.write_bytes(data)
    os.utime(file, ns=(before + 1, before + 1))


class CheckTests:
    """Who is let in."""

    @every_method
    def test_the_right_password(self, users, present):
        verdict = users.check(present(b"User", "clientPass"))
        assert isinstance(verdict, Admitted)
        assert verdict.user == "User"

    @every_method
    def test_the_wrong_password(self, users, present):
        assert users.check(present(b"User", "clientpass")) == Refused("wrong password for user 'User'")

    @every_method
    def test_an_unknown_user(self, users, present):
        assert users.check(present(b"nobody", "clientPass")) == Refused("unknown user 'nobody'")

    @every_method
    def test_an_unknown_user_cannot_guess_the_decoy(self, users, present):
        assert users.check(present(b"nobody", users._decoy.password)) == Refused("unknown user 'nobody'")

    @every_method
    def test_b086_an_unknown_user_costs_the_same_work(self, users, present, monkeypatch):
        work = []
        for name in ("nt_password_hash", "challenge_response", "chap_md5_response", "equal"):
            real = getattr(crypto, name)
            monkeypatch.setattr(crypto, name, lambda *args, n=name, r=real: (work.append(n), r(*args))[1])
        unknown, wrong = present(b"nobody", "x"), present(b"User", "x")
        work.clear()
        users.check(unknown)
        for_unknown = work[:]
        work.clear()
        users.check(wrong)
        assert for_unknown == work
        assert work

    @every_method
    def test_names_that_are_no_text(self, users, present):
        for name in (b"\xff\xfe", b"", b"*", b"a\0b", b"x" * 300):
            assert isinstance(users.check(present(name, "clientPass")), Refused)

    def test_b132_a_name_is_logged_without_control_characters(self, users):
        assert users.check(pap(b"a\n\x1b[2J\xff", "x")).detail == "unknown user 'a\\n\\x1b[2J\\\\xff'"

    @every_method
    def test_a_user_of_another_server(self, users, present):
        assert users.check(present(b"elsewhere", "x")) == Refused("unknown user 'elsewhere'")

    @pytest.mark.parametrize(
        ("name", "password", "user"),
        [
            (b"DOM\\both", "whole", "DOM\\both"),
            (b"ANY\\both", "part", "both"),
            (b"both", "part", "both"),
            (b"A\\B\\both", "part", "both"),
        ],
    )
    @every_method
    def test_q51_the_whole_name_first_then_the_part_after_the_backslash(self, users, present, name, password, user):
        verdict = users.check(present(name, password))
        assert isinstance(verdict, Admitted)
        assert verdict.user == user

    @every_method
    def test_a_line_for_anybody_comes_last_and_keeps_the_name(self, file, present):
        file.write_bytes(FILE + b"* * shared *\n")
        users = SecretsUsers(file, "openpptp")
        assert users.check(present(b"guest", "shared")).user == "guest"
        assert isinstance(users.check(present(b"User", "shared")), Refused)
        assert isinstance(users.check(present(b"D\\User", "shared")), Refused)

    def test_a_user_without_addresses_is_told_so_in_the_log(self, users):
        verdict = users.check(mschap_v2(b"nowhere", "x"))
        assert verdict.error_code == 649
        assert "(line 5) allows user 'nowhere' no address; write *" in verdict.detail
        assert users.check(mschap_v2(b"nowhere", "y")) == Refused("wrong password for user 'nowhere'")

    def test_the_address_column(self, users):
        verdict = users.check(mschap_v2(b"fixed", "x"))
        assert verdict.fixed_address == IPv4Address("10.0.0.7")
        assert verdict.allowed_address(IPv4Address("10.0.0.7"))
        assert not verdict.allowed_address(IPv4Address("10.0.0.8"))

    def test_a_lan_manager_response_alone_is_refused(self, users):
        right = mschap_v1(b"User", "clientPass")
        lm_response = crypto.lm_challenge_response(CHALLENGE[:8], crypto.lm_password_hash("clientPass"))
        verdict = users.check(MsChapV1Presented(b"User", CHALLENGE[:8], lm_response, right.nt_response, False))
        assert isinstance(verdict, Refused)
        assert "LAN Manager" in verdict.detail


class KeyTests:
    """RFC 3079: what the authenticator needs for MPPE."""

    def test_mschap_v2(self, users):
        presented = mschap_v2(b"DOM\\User", "clientPass")
        verdict = users.check(presented)
        twice = crypto.hash_nt_password_hash(crypto.nt_password_hash("clientPass"))
        assert verdict.keys == crypto.mschap_v2_start_keys(twice, presented.nt_response, authenticator=True)
        assert verdict.authenticator_response == crypto.generate_authenticator_response(
            twice, presented.nt_response, PEER_CHALLENGE, CHALLENGE, b"User"
        )

    def test_mschap_v1(self, users):
        verdict = users.check(mschap_v1(b"User", "clientPass"))
        twice = crypto.hash_nt_password_hash(crypto.nt_password_hash("clientPass"))
        lm_hash = crypto.lm_password_hash("clientPass")
        assert verdict.keys == crypto.mschap_v1_start_keys(twice, lm_hash, CHALLENGE[:8])
        assert "keys" not in repr(verdict)

    @pytest.mark.parametrize("present", [pap, chap_md5])
    def test_no_keys_without_mschap(self, users, present):
        assert users.check(present(b"User", "clientPass")).keys is None


class ChangedFileTests:
    """The file is read again when it changes; a broken one never locks anybody out."""

    def test_a_new_user_may_come_at_once(self, users, file, reports):
        rewrite(file, FILE + b"new * x *\n")
        assert isinstance(users.check(pap(b"new", "x")), Admitted)
        assert len(reports) == 1
        assert ":5: no address is allowed" in reports[0]

    def test_a_removed_user_may_not(self, users, file):
        rewrite(file, b"other * x *\n")
        assert isinstance(users.check(pap(b"User", "clientPass")), Refused)

    def test_an_emptied_file_means_nobody(self, users, file):
        rewrite(file, b"# nobody\n")
        assert isinstance(users.check(pap(b"User", "clientPass")), Refused)

    def test_a_replaced_file_of_the_same_size_and_time_is_noticed(self, users, file, tmp_path):
        status = file.stat()
        new = tmp_path / "new"
        new.write_bytes(FILE.replace(b"clientPass", b"clientpass"))
        os.utime(new, ns=(status.st_mtime_ns, status.st_mtime_ns))
        new.replace(file)
        assert isinstance(users.check(pap(b"User", "clientpass")), Admitted)

    def test_b140_what_could_not_be_read_for_a_moment_is_read_again(self, users, file, monkeypatch):
        def out_of_descriptors(*_):
            raise SetupError("Too many open files")

        file.write_text("newcomer * welcome *\n")
        with monkeypatch.context() as patched:
            patched.setattr("openpptp.backends.users.read", out_of_descriptors)
            assert isinstance(users.check(pap(b"newcomer", "welcome")), Refused)
        assert isinstance(users.check(pap(b"newcomer", "welcome")), Admitted)
        assert not users.changed()

    def test_b147_a_file_that_went_away_leaves_the_old_users_and_is_reported_once(self, users, file, reports):
        file.unlink()
        for _ in range(3):
            assert isinstance(users.check(pap(b"User", "clientPass")), Admitted)
        assert len(reports) == 1
        assert "the users read before stay" in reports[0]
        file.write_bytes(b"back * x *\n")
        assert isinstance(users.check(pap(b"back", "x")), Admitted)

    def test_b147_a_file_without_one_usable_line_leaves_the_old_users(self, users, file, reports):
        rewrite(file, b"User * 'clientPa")
        assert isinstance(users.check(pap(b"User", "clientPass")), Admitted)
        assert "chap-secrets:1: a quote is not closed" in reports[0]

    def test_b147_a_bad_line_costs_only_itself(self, users, file, reports):
        rewrite(file, b"User * 'clientPa\nnew * x *\n")
        assert isinstance(users.check(pap(b"new", "x")), Admitted)
        assert isinstance(users.check(pap(b"User", "clientPass")), Refused)
        assert len(reports) == 1

    def test_an_unchanged_file_is_not_read_again(self, users, monkeypatch):
        monkeypatch.setattr("openpptp.backends.users.read", None)
        assert isinstance(users.check(pap(b"User", "clientPass")), Admitted)

    def test_a_secret_in_a_file_of_its_own_may_change_too(self, tmp_path):
        secret, file = tmp_path / "secret", tmp_path / "chap-secrets"
        secret.write_bytes(b"one\n")
        file.write_bytes(f"User * @{secret} *\n".encode())
        file.chmod(0o644)
        reports = []
        users = SecretsUsers(file, "openpptp", reports.append)
        assert isinstance(users.check(pap(b"User", "one")), Admitted)
        assert len(reports) == 1
        rewrite(secret, b"two\n")
        assert isinstance(users.check(pap(b"User", "two")), Admitted)
        assert isinstance(users.check(pap(b"User", "one")), Refused)

    def test_the_first_reading_must_succeed(self, tmp_path):
        with pytest.raises(SetupError):
            SecretsUsers(tmp_path / "none", "openpptp")

    def test_problems_of_the_first_reading_are_reported(self, file, reports):
        SecretsUsers(file, "openpptp", reports.append)
        assert len(reports) == 1


def chap_packets(name):
    """Return the CHAP packets of a capture of Ethernet frames in classic pcap."""
    data = (need_captures() / name).read_bytes()
    position, packets = 24, {}
    while position < len(data):
        length = struct.unpack_from("<I", data, position + 8)[0]
        frame, position = data[position + 16 : position + 16 + length], position + 16 + length
        if frame[12:14] != b"\x08\x00" or frame[23] != 47:
            continue
        payload = gre.decode(frame[14 + 4 * (frame[14] & 0xF) : 14 + int.from_bytes(frame[16:18], "big")])[3]
        if payload:
            protocol, information = decode_frame(bytes(payload))
            if protocol == Protocol.CHAP:
                packet = Packet.decode(information)
                packets[packet.code] = packet
    return packets


class RealSessionTests:
    """john-lulu.pcap: Windows 7 and pptpd, user lulu, password "password"."""

    def test_the_response_is_right_and_the_success_is_ours(self, tmp_path):
        packets = chap_packets("john-lulu.pcap")
        (tmp_path / "chap-secrets").write_bytes(b"lulu * password *\n")
        users = SecretsUsers(tmp_path / "chap-secrets", "openpptp")
        challenge = ChapValue.decode(packets[ChapCode.CHALLENGE].data)
        value = ChapValue.decode(packets[ChapCode.RESPONSE].data)
        response = MsChapV2Response.decode(value.value)
        verdict = users.check(
            MsChapV2Presented(value.name, challenge.value, response.peer_challenge, response.nt_response)
        )
        success = MsChapV2Success.decode(packets[ChapCode.SUCCESS].data)
        assert verdict.authenticator_response == success.authenticator_response


class PapFileTests:
    """pap-secrets beside chap-secrets, as pppd has them."""

    @pytest.fixture
    def both(self, tmp_path):
        for name, secret in (("chap-secrets", b"chap"), ("pap-secrets", b"pap")):
            (tmp_path / name).write_bytes(b"User * " + secret + b" *\n")
            (tmp_path / name).chmod(0o600)
        return open_users(tmp_path / "chap-secrets", tmp_path / "pap-secrets", "openpptp"), tmp_path

    def test_each_method_has_its_file(self, both):
        users, _ = both
        assert isinstance(users.check(pap(b"User", "pap")), Admitted)
        assert isinstance(users.check(pap(b"User", "chap")), Refused)
        for present in (chap_md5, mschap_v1, mschap_v2):
            assert isinstance(users.check(present(b"User", "chap")), Admitted)
            assert isinstance(users.check(present(b"User", "pap")), Refused)

    @pytest.mark.parametrize("name", ["chap-secrets", "pap-secrets"])
    def test_a_change_of_either_file_is_seen(self, both, name):
        users, folder = both
        assert not users.changed()
        rewrite(folder / name, b"User * new *\n")
        assert users.changed()
        present = pap if name == "pap-secrets" else mschap_v2
        assert isinstance(users.check(present(b"User", "new")), Admitted)

    def test_one_file_serves_both_when_no_other_is_named(self, file):
        assert type(open_users(file, None, "openpptp")) is type(open_users(file, file, "openpptp")) is SecretsUsers

    def test_a_missing_pap_file_is_an_error(self, file, tmp_path):
        with pytest.raises(SetupError, match="none"):
            open_users(file, tmp_path / "none", "openpptp")


class StoreTests:
    """The users store beside the secrets file."""

    @pytest.fixture
    def store(self, tmp_path):
        return tmp_path / "users.sqlite"

    @pytest.fixture
    def both(self, file, store, reports):
        """Return a function that opens both."""

        def open_both():
            users = open_users(file, None, "openpptp", reports.append, store=store)
            assert isinstance(users, Users)
            return users

        return open_both

    @staticmethod
    def add(store, name: str, password: str, policy: str = "", **how) -> None:
        with UsersStore(store) as opened:
            opened.add(name, password, parse(policy), **how)

    @staticmethod
    def check(users, presented) -> Admitted | Refused:
        if users.changed():
            users.refresh()
        return users.judge(presented)

    @pytest.mark.parametrize("present", [pap, mschap_v1, mschap_v2])
    def test_the_nt_hash_serves_ms_chap_and_pap(self, both, store, present):
        self.add(store, "anna", "pw", "rate 1mbit")
        admitted = self.check(both(), present(b"anna", "pw"))
        assert (admitted.user, str(admitted.policy)) == ("anna", "rate 1mbit")
        assert admitted.allowed_address(IPv4Address("10.0.0.9"))
        assert self.check(both(), present(b"anna", "wrong")) == Refused("wrong password for user 'anna'")

    def test_a_hash_gives_the_same_keys_as_the_password(self, both, store):
        self.add(store, "anna", "pw")
        self.add(store, "bob", "pw", clear_text=True)
        v2, whole = (self.check(both(), mschap_v2(name, "pw")) for name in (b"anna", b"bob"))
        assert v2.keys is not None
        assert whole.keys is not None
        v1, clear = (self.check(both(), mschap_v1(name, "pw")).keys for name in (b"anna", b"bob"))
        assert v1.send == clear.send
        assert (v1.send_short, v1.lengths(frozenset({40, 128}))) == (b"", frozenset({128}))
        assert clear.lengths(frozenset({40, 128})) == frozenset({40, 128})

    def test_chap_md5_needs_the_password_itself(self, both, store):
        self.add(store, "anna", "pw")
        self.add(store, "bob", "pw", clear_text=True)
        assert "only its NT hash is kept" in self.check(both(), chap_md5(b"anna", "pw")).detail
        assert self.check(both(), chap_md5(b"bob", "pw")).user == "bob"
        assert "wrong password" in self.check(both(), chap_md5(b"bob", "no")).detail

    def test_a_change_is_seen_at_the_next_log_in_and_read_once(self, both, store):
        users = both()
        assert self.check(users, mschap_v2(b"anna", "pw")) == Refused("unknown user 'anna'")
        self.add(store, "anna", "pw")
        assert users.changed()
        assert self.check(users, mschap_v2(b"anna", "pw")).user == "anna"
        assert not users.changed()
        with UsersStore(store) as opened:
            opened.set_password("anna", "new")
            assert self.check(users, mschap_v2(b"anna", "new")).user == "anna"
            opened.remove("anna")
            assert self.check(users, mschap_v2(b"anna", "new")) == Refused("unknown user 'anna'")

    def test_a_name_in_both_is_the_stores_and_said_once(self, both, store, reports):
        self.add(store, "User", "other")
        users = both()
        assert self.check(users, mschap_v2(b"User", "other")).user == "User"
        assert self.check(users, mschap_v2(b"User", "clientPass")) == Refused("wrong password for user 'User'")
        users.refresh()
        assert [report for report in reports if "the store counts" in report] == [
            "user 'User' is in the users store and in the secrets file; the store counts"
        ]

    def test_the_whole_name_comes_before_the_one_without_domain(self, both, store):
        self.add(store, "both", "stored")
        users = both()
        assert self.check(users, mschap_v2(b"DOM\\both", "whole")).user == "DOM\\both"
        assert self.check(users, mschap_v2(b"OTHER\\both", "stored")).user == "both"

    @every_method
    def test_an_unknown_user_costs_the_work_of_a_wrong_password_b086(self, both, store, present, monkeypatch):
        self.add(store, "anna", "pw")
        users, work = both(), []
        for name in ("nt_password_hash", "challenge_response", "chap_md5_response", "challenge_hash"):
            whole = getattr(crypto, name)
            monkeypatch.setattr(crypto, name, lambda *given, name=name, whole=whole: work.append(name) or whole(*given))
        responses = [present(name, "wrong") for name in (b"anna", b"nobody")]
        done = []
        for response in responses:
            work.clear()
            assert isinstance(users.judge(response), Refused)
            done.append([name for name in work if name != "nt_password_hash"])
        assert done[0] == done[1]

    def test_what_is_not_utf_8_is_nobody(self, both, store):
        self.add(store, "anna", "pw")
        assert "unknown user" in self.check(both(), mschap_v2(b"\xff", "pw")).detail

    @pytest.mark.parametrize("harm", ["damaged", "missing", "locked"])
    def test_a_store_that_cannot_be_read_leaves_the_users_read_before(self, both, store, reports, harm, monkeypatch):
        self.add(store, "anna", "pw")
        users = both()
        lock = None
        if harm == "damaged":
            rewrite(store, b"nothing" * 1000)
        elif harm == "missing":
            store.unlink()
        else:
            monkeypatch.setattr(users_store, "BUSY_TIMEOUT", 0.01)
            lock = sqlite3.connect(store, isolation_level=None)
            lock.execute("PRAGMA journal_mode = DELETE")
            lock.execute("BEGIN EXCLUSIVE")
            lock.execute("UPDATE users SET policy = 'idle 5m'")
            os.utime(store, ns=(1, 1))
        for _ in range(3):
            assert self.check(users, mschap_v2(b"anna", "pw")).user == "anna"
        (report,) = [report for report in reports if "the users read before stay" in report]
        assert {"damaged": "is damaged", "missing": "does not exist", "locked": "has locked it"}[harm] in report
        if lock is not None:
            lock.execute("COMMIT")
            lock.close()
            users.refresh()
            assert str(users.policy_of("anna")) == "idle 5m"

    def test_one_that_is_damaged_at_the_start_leaves_the_file(self, both, store, reports):
        store.write_bytes(b"nothing" * 1000)
        users = both()
        assert self.check(users, mschap_v2(b"User", "clientPass")).user == "User"
        assert "is damaged" in reports[-1]

    def test_a_secrets_file_may_be_missing_where_there_is_a_store(self, both, store, file):
        file.unlink()
        with pytest.raises(SetupError, match="does not exist"):
            both()
        self.add(store, "anna", "pw")
        users = both()
        assert self.check(users, mschap_v2(b"anna", "pw")).user == "anna"
        assert self.check(users, mschap_v2(b"User", "clientPass")) == Refused("unknown user 'User'")
        assert users.policy_of("User") is None

    def test_a_store_counts_for_pap_before_a_file_of_its_own(self, file, store, tmp_path):
        pap_file = tmp_path / "pap-secrets"
        pap_file.write_bytes(b"onlypap * p * -- idle 5m\n")
        pap_file.chmod(0o600)
        self.add(store, "anna", "pw")
        users = open_users(file, pap_file, "openpptp", store=store)
        assert self.check(users, pap(b"anna", "pw")).user == "anna"
        assert self.check(users, pap(b"onlypap", "p")).user == "onlypap"
        assert isinstance(self.check(users, pap(b"User", "clientPass")), Refused)
        assert str(users.policy_of("onlypap")) == "idle 5m"

    def test_a_problem_in_a_row_is_reported(self, both, store, reports):
        self.add(store, "anna", "pw")
        database = sqlite3.connect(store)
        database.execute("UPDATE users SET policy = 'idle soon'")
        database.commit()
        database.close()
        assert isinstance(self.check(both(), mschap_v2(b"anna", "pw")), Refused)
        assert any("user 'anna' cannot log in" in report for report in reports)


class PolicyTests:
    """What a secrets file says of a user after --."""

    def test_it_comes_with_the_user(self, file, users):
        rewrite(file, b"anna * pw * -- rate 10mbit/2mbit pool office\n* * any *\n")
        assert str(users.check(mschap_v2(b"anna", "pw")).policy) == "pool office rate 10mbit/2mbit"
        assert str(users.policy_of("anna")) == "pool office rate 10mbit/2mbit"
        assert str(users.policy_of("somebody")) == ""

    def test_who_is_gone_has_none(self, users):
        assert users.policy_of("nobody") is None
