"""Engines: requests in, log-probabilities or text out."""
