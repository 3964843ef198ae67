"""The tables of results on the README and on pages of `docs`, and the pictures: written by `python -m benchmarks.table`."""
