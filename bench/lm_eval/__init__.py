"""lm-evaluation-harness: our engine in it, its tasks and runs here, and both compared."""
