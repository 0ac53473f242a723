"""Runs -> the board: which are compared, how they rank, and its tables. Pure; no HTML."""
