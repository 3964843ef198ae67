"""The tables of results on the README and on pages of `docs`, and the pictures, by `python -m benchmarks.table`."""
