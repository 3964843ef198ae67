"""The checker against a slow twin of its reader of prompts: what counts as given."""
