"""Per-packet work: the readable reference of the engine; pure."""
