"""What the project claims in figures, measured; `scripts/bench` prints it as one table."""
