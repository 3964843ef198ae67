"""Measurements that the documents quote, in a room for each part of Tuili; their records stand in `results/`."""
