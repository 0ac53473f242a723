"""What a person writes (tasks, model cards), and where data and weights come from."""
