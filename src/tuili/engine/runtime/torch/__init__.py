"""The torch implementation: the model's own weights in a leaner forward pass, with its KV cache."""
