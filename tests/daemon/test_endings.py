"""What the log says of a client that does not come in: which side wanted what, and what to do."""

from ipaddress import IPv4Address

import pytest
from tests.daemon.loopback import House, house
from tests.eventually import until

from openpptp.credentials import AuthMethod
from openpptp.daemon.endings import REMEDIES
from openpptp.errors import EndReason
from openpptp.ppp.settings import EncryptionPolicy

CLEAR = EncryptionPolicy(enabled=False, required=False)
BITS_40 = EncryptionPolicy(key_bits=frozenset({40}), required=False)


async def last_line(home: House) -> dict:
    await until(lambda: home.log.about("session ended"))
    (line,) = home.log.about("session ended")
    return line


class ScriptedPeerTests:
    """Peers that can do something else than the server wants."""

    @pytest.mark.parametrize(
        ("sections", "client", "reason", "detail"),
        [
            (
                {},
                {"answer_with": (AuthMethod.PAP,)},
                EndReason.AUTHENTICATION_UNSUITABLE,
                "the client offers only PAP; this server requires MS-CHAPv2",
            ),
            (
                {"auth": {"methods": ["MS-CHAPv2", "MS-CHAPv1"]}},
                {"answer_with": (AuthMethod.CHAP_MD5,)},
                EndReason.AUTHENTICATION_UNSUITABLE,
                "the client offers only CHAP-MD5; this server requires MS-CHAPv2 or MS-CHAPv1",
            ),
            (
                {},
                {"encryption": CLEAR},
                EndReason.ENCRYPTION_UNSUITABLE,
                "the client refuses CCP, without which there is no encryption; this server requires MPPE 128 bit",
            ),
            (
                {},
                {"encryption": BITS_40},
                EndReason.ENCRYPTION_UNSUITABLE,
                "the client offers MPPE 40 bit; this server requires MPPE 128 bit",
            ),
            (
                {"auth": {"methods": ["MS-CHAPv2", "PAP"]}},
                {"answer_with": (AuthMethod.PAP,), "encryption": CLEAR},
                EndReason.ENCRYPTION_UNSUITABLE,
                "PAP makes no encryption keys; this server requires MPPE 128 bit",
            ),
            (
                {},
                {"our_ipv4": IPv4Address("192.168.1.5")},
                EndReason.NO_ADDRESS,
                "the peer is given the IPv4 address 10.9.0.2 and asks for 192.168.1.5 instead, again and again",
            ),
            (
                {},
                {"ipv4": False, "ipv6": True},
                EndReason.NEGOTIATION_FAILED,
                "the client refuses IPCP, without which there is no IPv4",
            ),
        ],
        ids=["pap only", "no common method", "no mppe", "40 bit", "no keys", "own address", "no ipv4"],
    )
    async def test_the_log_names_both_sides_and_the_remedy(self, tmp_path, sections, client, reason, detail):
        async with house(tmp_path, **sections) as home:
            caller = await home.call(**client)
            await until(lambda: caller.over)
            line = await last_line(home)
        assert (line["log_level"], line["reason"], line["detail"]) == ("warning", reason.value.label, detail)
        assert line["remedy"] == REMEDIES[reason]
        assert not {"seconds", "octets_in", "octets_out"} & set(line)

    async def test_no_gre_at_all(self, tmp_path):
        async with house(tmp_path, limits={"gre_timeout": 1}) as home:
            home.caller_path.other = home.data_path.other = None
            await home.call()
            line = await last_line(home)
        assert line["detail"].startswith("no GRE (IP protocol 47) came from the peer")
        assert "nf_conntrack_pptp" in line["remedy"]

    async def test_a_wrong_password_has_one_line(self, tmp_path):
        async with house(tmp_path) as home:
            caller = await home.call(password="wrong")
            await until(lambda: caller.over)
            (line,) = [line for line in home.log.lines if line["log_level"] == "warning"]
        assert (line["event"], line["why"]) == ("log-in refused", "wrong password for user 'alice'")
        assert not home.log.about("session ended")

    async def test_a_session_that_was_up_and_ends_needs_none(self, tmp_path):
        async with house(tmp_path) as home:
            caller = await home.log_in()
            await until(lambda: home.log.about("session up"))
            caller.driver.stop(EndReason.USER_REQUEST)
            line = await last_line(home)
        assert line["log_level"] == "info"
        assert "remedy" not in line
        assert line["octets_in"] == 0

    async def test_once_up_the_set_up_was_right_however_it_ends(self, tmp_path):
        async with house(tmp_path) as home:
            await home.log_in()
            await until(lambda: home.log.about("session up"))
            ((call_id, driver),) = home.server.calls.items()
            driver.disconnect(call_id, EndReason.NO_ADDRESS)
            line = await last_line(home)
        assert (line["log_level"], line["reason"]) == ("info", "no-address")
        assert "remedy" not in line


class RemedyTests:
    """Every reason is one or the other."""

    def test_what_a_peer_or_a_person_wanted_needs_no_remedy(self):
        without = set(EndReason) - set(REMEDIES)
        assert without == {
            *(EndReason.USER_REQUEST, EndReason.PEER_REQUEST, EndReason.ADMIN_DISCONNECT, EndReason.SHUTDOWN),
            *(EndReason.CONNECTION_LOST, EndReason.PEER_SILENT, EndReason.IDLE, EndReason.TIME_LIMIT),
            *(EndReason.AUTHENTICATION_REFUSED, EndReason.SERVER_NOT_GENUINE, EndReason.ENCRYPTION_LOST),
            *(EndReason.LOOPED, EndReason.FLOODED, EndReason.PROTOCOL_ERROR, EndReason.CALL_REFUSED),
            *(EndReason.RESOURCES, EndReason.QUOTA, EndReason.HOURS, EndReason.EXPIRED, EndReason.DISABLED),
            EndReason.REPLACED,
        }

    def test_settings_that_are_named_exist(self):
        from openpptp.daemon.config import Settings

        for text in REMEDIES.values():
            for word in text.replace(",", " ").replace(";", " ").split():
                section, _, key = word.partition(".")
                if section in Settings.model_fields and key:
                    assert key in Settings.model_fields[section].annotation.model_fields, word
