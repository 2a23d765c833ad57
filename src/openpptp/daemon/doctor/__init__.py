"""What is in place and what is not, check by check, each with its remedy.

report.py is what a check says, and how it is shown. A patient has a file of facts, which are gathered once, and a file
of checks, which judge them and touch nothing.
"""
