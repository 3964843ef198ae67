"""What a budget buys: the engine's control loop against published ways to spend tokens and layers, on one model."""
