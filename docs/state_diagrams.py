"""Draws the state diagrams from the tables the program runs.

Run it as: python docs/state_diagrams.py > docs/state-diagrams.md

An arrow is `event / action`; arrows between the same two states are drawn as one with several lines.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from openpptp.ppp.fsm import TABLE, TIMED, Event, State
from openpptp.tunnel.call_tables import AWAITED, TABLES
from openpptp.tunnel.control_tables import INITIATOR, RESPONDER
from openpptp.tunnel.table import Table

HEAD = """\
# State diagrams

<!-- Made by `python docs/state_diagrams.py` from the tables the program runs; do not edit. -->

These are the automata the program runs, drawn from the very tables it reads: `src/openpptp/ppp/fsm.py`,
`src/openpptp/tunnel/control_tables.py` and `src/openpptp/tunnel/call_tables.py`. An arrow says `event / action`.
"""

RFC_1661 = """
## LCP, CCP, IPCP and IPv6CP (RFC 1661 section 4)

All four protocols run the same automaton. Its table has 160 cells. A cell says `actions / new state`, with the names of
RFC 1661; an empty cell is "-" there: it cannot happen, and if it does it leaves a debug line. `*` marks the states in
which the Restart timer runs.
"""

LEGEND = """
| event | meaning | | action | meaning |
|---|---|---|---|---|
| Up, Down | the layer below is ready, is gone | | tlu, tld | This-Layer-Up, -Down |
| Open, Close | we want it, want it no more | | tls, tlf | This-Layer-Started, -Finished |
| TO+, TO- | Restart timer, with tries left, with none | | irc, zrc | Initialize-, Zero-Restart-Count |
| RCR+, RCR- | Configure-Request, acceptable or not | | scr | Send-Configure-Request |
| RCA, RCN | Configure-Ack; Configure-Nak or -Reject | | sca, scn | Send-Configure-Ack; -Nak or -Reject |
| RTR, RTA | Terminate-Request, -Ack | | str, sta | Send-Terminate-Request, -Ack |
| RUC | a code nobody knows | | scj | Send-Code-Reject |
| RXJ+, RXJ- | a rejection we can live with, cannot | | ser | Send-Echo-Reply |
| RXR | Echo-Request, -Reply, Discard-Request | | | |
"""

COMING_UP = (Event.UP, Event.OPEN, Event.TO_PLUS, Event.RCR_PLUS, Event.RCR_MINUS, Event.RCA, Event.RCN)
GOING_DOWN = (Event.DOWN, Event.CLOSE, Event.TO_MINUS, Event.RTR, Event.RTA, Event.RXJ_MINUS)

CONTROL = """
## Control connection (RFC 2637 section 3.1)

Which of the two runs is decided by who opened the TCP connection, not by PNS or PAC. An event that has no arrow in a
state is ignored with a debug line. `closed` is the RFC's way back to idle: this TCP connection is over.
"""

CALLS = """
## Calls (RFC 2637 section 3.2)

Four automata: PNS and PAC, outgoing and incoming. A client that dials is the PNS of an outgoing call and the server its
PAC. An access concentrator places an incoming call as PAC, and the server is its PNS. `ended` is the RFC's way back to
idle: this call is over and its Call ID goes back.
"""


class Arrow(NamedTuple):
    """One transition, in words."""

    state: str
    event: str
    actions: str
    new_state: str


def page() -> str:
    """Return docs/state-diagrams.md."""
    parts = [HEAD, RFC_1661, "\n".join(_rfc_1661_table()), "\n", LEGEND]
    for title, events in (("Coming up", COMING_UP), ("Going down", GOING_DOWN)):
        names = ", ".join(map(str, events))
        parts.append(f"\n### {title}\n\nThe cells for {names} that lead to another state.\n\n")
        parts.append(diagram(_rfc_1661_arrows(events), map(str, State)))
    parts.append(CONTROL)
    parts += [_section(table, end="closed") for table in (INITIATOR, RESPONDER)]
    parts.append(CALLS)
    parts += [_section(table, end="ended") for table in TABLES.values()]
    parts.append("\n### What a call waits for\n\nEach of these has one deadline, `limits.call_timeout`.\n\n")
    parts.append("| call | state | waits for |\n|---|---|---|\n")
    parts += [f"| {kind.value} | {state.value} | {what} |\n" for (kind, state), what in AWAITED.items()]
    return "".join(parts)


def diagram(arrows: Iterable[Arrow], states: Iterable[str], *, start: str | None = None, end: str | None = None) -> str:
    """Return a Mermaid block."""
    lines: dict[tuple[str, str], list[str]] = {}
    for arrow in arrows:
        label = f"{arrow.event} / {arrow.actions}" if arrow.actions else arrow.event
        lines.setdefault((arrow.state, arrow.new_state), []).append(label)
    text = ["```mermaid", "stateDiagram-v2"]
    text += [f'    state "{state}" as {_identifier(state)}' for state in states]
    if start is not None:
        text.append(f"    [*] --> {_identifier(start)}")
    for (state, new_state), labels in lines.items():
        text.append(f"    {_identifier(state)} --> {_identifier(new_state)}: {'<br/>'.join(labels)}")
    if end is not None:
        text.append(f"    {_identifier(end)} --> [*]")
    return "\n".join([*text, "```", ""])


def _identifier(state: str) -> str:
    return state.replace("-", "_")


def _section(table: Table[Any, Any, Any], *, end: str) -> str:
    arrows = [Arrow(row.state.value, row.event.value, row.action.value, row.new_state.value) for row in table]
    return f"\n### {table.title}\n\n" + diagram(arrows, [s.value for s in table.states], start="idle", end=end)


def _rfc_1661_arrows(events: Iterable[Event]) -> Iterator[Arrow]:
    """Yield what an event changes; where it leaves the state as it is, the table tells."""
    for event in events:
        for state in State:
            cell = TABLE[event, state]
            if cell.state is not state:
                yield Arrow(str(state), str(event), _actions(cell.actions), str(cell.state))


def _rfc_1661_table() -> Iterator[str]:
    stars = ("*" if state in TIMED else "" for state in State)
    yield "\n| | " + " | ".join(f"{state.value} {state}{star}" for state, star in zip(State, stars, strict=True)) + " |"
    yield "|---" * (len(State) + 1) + "|"
    for event in Event:
        cells = []
        for state in State:
            actions, new = TABLE[event, state]
            named = f"{_actions(actions)} / " if actions else ""
            cells.append("" if actions == ("note",) else f"{named}{new.value}")
        yield f"| **{event}** | " + " | ".join(cells) + " |"


def _actions(names: Iterable[str]) -> str:
    return ",".join(name.rstrip("_") for name in names)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the way docs/state-diagrams.md is made
