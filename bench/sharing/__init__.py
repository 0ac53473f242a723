"""Runs and tables in the formats of `bench export`."""
