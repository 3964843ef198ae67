"""The model by itself: what attention reads, what depth and experts cost, what layered attention costs in accuracy."""
