"""SLM Bench: compare small language models on multiple-choice tasks."""

__version__ = "0.1.0"
