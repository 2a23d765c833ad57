"""The commands a person types; thin."""
