"""The automata of RFC 2637 and the sessions they make; pure."""
