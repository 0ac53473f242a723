"""Cells: planned, run one process each, and kept as files."""
