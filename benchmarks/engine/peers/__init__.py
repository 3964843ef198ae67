"""The other engines, each a worker that runs on its own: all but transformers in the environment `.venv-peers`."""
