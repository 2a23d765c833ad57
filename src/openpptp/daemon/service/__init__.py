"""The server as a service of this machine: its unit, how it is installed, and how that is undone."""
