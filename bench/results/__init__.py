"""What is kept of runs: files written whole, read again, checked."""
