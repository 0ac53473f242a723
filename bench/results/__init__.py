"""Runs on disk: writing, reading and checking them."""
