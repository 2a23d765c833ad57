"""Answers to the core's questions: users, addresses."""
