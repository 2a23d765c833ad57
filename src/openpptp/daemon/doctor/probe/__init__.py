"""Why does it not connect: a PPTP server looked at from a client's side, step by step.

seen.py is all that can be seen; witness.py and switchboard.py fill it from what passes on one call and on all.
reading.py reads out of it what steps.py and steps_gre.py say and what verdict.py concludes, by the rules in rules_*.py.
All that is pure. examination.py decides what is tried in which order; call.py, measuring.py and lookup.py do it with
real packets.
"""
