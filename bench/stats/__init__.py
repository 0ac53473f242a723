"""Statistics: numbers in, numbers out; no models, no files."""
