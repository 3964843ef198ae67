"""What a budget buys: the engine's attempts beside published ways to spend tokens and layers, on one model."""
