"""Running sequences through a model: the runner's interface, and its implementation."""
