"""Where models run. Each engine turns a batch of encoded requests into log-probabilities."""
