"""Measurements that the documents quote: one module each, run by `make bench`, recorded under `results/`."""
