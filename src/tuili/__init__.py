"""Tuili: train a small reasoning model on tasks whose every step is checked, and run it only as deep as needed.

Importing this package is cheap; the functionality is in `tuili.steps`, `tuili.tasks`, `tuili.model` and so on.
"""

__version__ = "0.1.0"
