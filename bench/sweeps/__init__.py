"""Running cells: the sweep picks the next cell, an executor starts it, and a process runs it."""
