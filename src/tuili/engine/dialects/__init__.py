"""The format of a model's prompts and responses: steps for Tuili's own models, prose for imported ones."""
