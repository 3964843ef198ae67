"""How sequences are run through a model: the runner's interface, and the runner for torch."""
