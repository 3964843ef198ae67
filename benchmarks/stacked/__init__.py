"""Several ways to make a model smaller, one upon the other, and what is left of it."""
