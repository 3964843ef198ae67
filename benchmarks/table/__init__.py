"""The tables of the README and of `docs/benchmarks.md`, and the pictures: written by `python -m benchmarks.table`."""
