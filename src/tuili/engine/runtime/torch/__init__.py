"""The runner for torch: the model's own weights in a leaner forward pass, with its key/value cache."""
