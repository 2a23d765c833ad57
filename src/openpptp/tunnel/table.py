"""State diagrams of RFC 2637 section 3 as text, parsed once; the same text draws the diagrams of the manual."""

from collections.abc import Iterator
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)
Action = TypeVar("Action", bound=Enum)


class Transition(NamedTuple, Generic[State, Event, Action]):
    """One arrow of a state diagram."""

    state: State
    event: Event
    action: Action
    new_state: State


class Table(Generic[State, Event, Action]):
    """A state diagram: every pair of state and event has an outcome, drawn or not."""

    def __init__(self, title: str, text: str, states: type[State], events: type[Event], otherwise: Action) -> None:
        """Parse rows of "state event action new-state"; pairs without a row do `otherwise` and stay."""
        self.title = title
        actions = type(otherwise)
        self.rows: dict[tuple[State, Event], Transition[State, Event, Action]] = {}
        for line in filter(None, (line.strip() for line in text.splitlines())):
            state, event, action, new_state = line.split()
            row = Transition(states(state), events(event), actions(action), states(new_state))
            if (row.state, row.event) in self.rows:
                raise ValueError(f"{title}: two rows for {state}, {event}")
            self.rows[row.state, row.event] = row
        drawn = {state for row in self.rows.values() for state in (row.state, row.new_state)}
        self.states = tuple(state for state in states if state in drawn)
        self._cells = {
            (state, event): self.rows.get((state, event), Transition(state, event, otherwise, state))
            for state in states
            for event in events
        }

    def __getitem__(self, cell: tuple[State, Event]) -> Transition[State, Event, Action]:
        """Return the outcome of an event in a state; never missing."""
        return self._cells[cell]

    def __iter__(self) -> Iterator[Transition[State, Event, Action]]:
        """Return the drawn arrows, in the order of the text."""
        return iter(self.rows.values())
