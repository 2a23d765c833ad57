"""The monitor: a small process that stays root and does for the server, which does not, a few things it names.

It is forked before the server opens anything to the network, as in OpenSSH and OpenBSD's npppd. wire.py is what the two
say to each other, policy.py what the monitor allows, process.py the monitor itself, link.py the server's end.
"""
