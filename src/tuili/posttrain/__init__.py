"""What comes after training a model and uses the engine to do so."""
