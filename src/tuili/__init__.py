"""Tuili: train a small reasoning model from tasks whose every step is checked, and ask it only as deep as needed.

Importing this package is cheap; the work is in `tuili.steps`, `tuili.tasks`, `tuili.model` and so on.
"""

__version__ = "0.1.0"
