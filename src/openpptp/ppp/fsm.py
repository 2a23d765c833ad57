"""The states, events and transitions of the option negotiation automaton (RFC 1661 sections 4.1 to 4.3).

The table of section 4.1 stands below as the RFC prints it and is parsed once; automaton.py runs it.
"""

from enum import IntEnum
from typing import NamedTuple

RFC_1661_SECTION_4_1 = """
      | State
      |    0         1         2         3         4         5
Events| Initial   Starting  Closed    Stopped   Closing   Stopping
------+-----------------------------------------------------------
 Up   |    2     irc,scr/6     -         -         -         -
 Down |    -         -         0       tls/1       0         1
 Open |  tls/1       1     irc,scr/6     3r        5r        5r
 Close|    0       tlf/0       2         2         4         4
      |
  TO+ |    -         -         -         -       str/4     str/5
  TO- |    -         -         -         -       tlf/2     tlf/3
      |
 RCR+ |    -         -       sta/2 irc,scr,sca/8   4         5
 RCR- |    -         -       sta/2 irc,scr,scn/6   4         5
 RCA  |    -         -       sta/2     sta/3       4         5
 RCN  |    -         -       sta/2     sta/3       4         5
      |
 RTR  |    -         -       sta/2     sta/3     sta/4     sta/5
 RTA  |    -         -         2         3       tlf/2     tlf/3
      |
 RUC  |    -         -       scj/2     scj/3     scj/4     scj/5
 RXJ+ |    -         -         2         3         4         5
 RXJ- |    -         -       tlf/2     tlf/3     tlf/2     tlf/3
      |
 RXR  |    -         -         2         3         4         5

      | State
      |    6         7         8           9
Events| Req-Sent  Ack-Rcvd  Ack-Sent    Opened
------+-----------------------------------------
 Up   |    -         -         -           -
 Down |    1         1         1         tld/1
 Open |    6         7         8           9r
 Close|irc,str/4 irc,str/4 irc,str/4 tld,irc,str/4
      |
  TO+ |  scr/6     scr/6     scr/8         -
  TO- |  tlf/3p    tlf/3p    tlf/3p        -
      |
 RCR+ |  sca/8   sca,tlu/9   sca/8   tld,scr,sca/8
 RCR- |  scn/6     scn/7     scn/6   tld,scr,scn/6
 RCA  |  irc/7     scr/6x  irc,tlu/9   tld,scr/6x
 RCN  |irc,scr/6   scr/6x  irc,scr/8   tld,scr/6x
      |
 RTR  |  sta/6     sta/6     sta/6   tld,zrc,sta/5
 RTA  |    6         6         8       tld,scr/6
      |
 RUC  |  scj/6     scj/7     scj/8       scj/9
 RXJ+ |    6         6         8           9
 RXJ- |  tlf/3     tlf/3     tlf/3   tld,irc,str/5
      |
 RXR  |    6         7         8         ser/9
"""


class State(IntEnum):
    """RFC 1661 section 4.2."""

    INITIAL = 0
    STARTING = 1
    CLOSED = 2
    STOPPED = 3
    CLOSING = 4
    STOPPING = 5
    REQ_SENT = 6
    ACK_RCVD = 7
    ACK_SENT = 8
    OPENED = 9

    def __str__(self) -> str:
        """Return the RFC's spelling."""
        return self.name.replace("_", "-").title()


class Event(IntEnum):
    """RFC 1661 section 4.3, in the order of the table's rows."""

    UP = 0
    DOWN = 1
    OPEN = 2
    CLOSE = 3
    TO_PLUS = 4
    TO_MINUS = 5
    RCR_PLUS = 6
    RCR_MINUS = 7
    RCA = 8
    RCN = 9
    RTR = 10
    RTA = 11
    RUC = 12
    RXJ_PLUS = 13
    RXJ_MINUS = 14
    RXR = 15

    def __str__(self) -> str:
        """Return the RFC's spelling."""
        name = self.name.replace("_PLUS", "+").replace("_MINUS", "-")
        return name.title() if self < Event.TO_PLUS else name


class Cell(NamedTuple):
    """One cell of the table."""

    actions: tuple[str, ...]
    state: State


def parse_table(text: str) -> dict[tuple[Event, State], Cell]:
    """Read the RFC's table; a "-" cell becomes one that notes the event and stays.

    The footnote letters p, r and x name options this automaton does not take.
    """
    methods = {"str": "str_"}
    rows = {str(event): event for event in Event}
    table: dict[tuple[Event, State], Cell] = {}
    states: list[State] = []
    for line in text.splitlines():
        head, bar, body = line.partition("|")
        cells = body.split()
        if bar and cells and all(cell.isdigit() for cell in cells) and not head.strip():
            states = [State(int(cell)) for cell in cells]
        elif head.strip() in rows:
            for state, cell in zip(states, cells, strict=True):
                actions, _, new = cell.rpartition("/")
                target = state if cell == "-" else State(int(new.rstrip("prx")))
                names = ("note",) if cell == "-" else tuple(methods.get(a, a) for a in actions.split(",") if a)
                table[rows[head.strip()], state] = Cell(names, target)
    return table


TABLE = parse_table(RFC_1661_SECTION_4_1)

TIMED = frozenset(
    state for event, state in TABLE if event is Event.TO_PLUS and TABLE[event, state].actions != ("note",)
)
"States in which the Restart timer runs: those with a TO event (section 4.1)."
