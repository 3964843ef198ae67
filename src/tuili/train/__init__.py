"""Training: recipe, curriculum, objective, optimizers, checkpoints, and the loop that runs them."""
