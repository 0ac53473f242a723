"""Tuning: a training split in, an adapter folder out."""
