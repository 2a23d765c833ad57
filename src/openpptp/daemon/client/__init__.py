"""The client: one connection attempt, the supervisor that keeps it up, the host's settings, and what is told of it."""
