"""What prompts and responses of a model look like: steps for Tuili's own models, prose for imported ones."""
