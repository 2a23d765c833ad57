"""Authentication protocols, both sides of each."""
