"""`python -m openpptp` is the same as `openpptp`."""

from openpptp.cli import main

main()
