"""Adapters: read, added to the weights of their base, shipped with the package, and fetched by name."""
