"""What to run: tasks, models and variants, planned as cells."""
