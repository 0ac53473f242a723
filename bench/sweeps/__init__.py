"""Running cells: the sweep that chooses, the executors that have room, the processes that work."""
