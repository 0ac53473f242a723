"""Runs -> the board -> static HTML pages."""
