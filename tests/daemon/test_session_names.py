"""Ids of connections and sessions."""

from openpptp.daemon.session_names import SessionNames


class SessionNamesTests:
    def test_the_first_session_has_the_connections_id_and_later_ones_a_number(self):
        names = SessionNames()
        assert [names.of(7), names.of(9), names.of(7)] == [names.connection, f"{names.connection}.2", names.connection]

    def test_an_id_is_never_given_twice(self):
        names = SessionNames()
        given = [names.of(7), names.renew(7)]
        names.forget(7)
        names.forget(8)
        given += [names.of(7), names.of(8)]
        assert given == [names.connection, *(f"{names.connection}.{number}" for number in (2, 3, 4))]

    def test_connections_differ(self):
        assert len({SessionNames().connection for _ in range(100)}) == 100
