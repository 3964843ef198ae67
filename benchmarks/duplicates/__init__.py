"""Duplicates and questions of evaluation sets, planted among other documents: how many are found, and what else is."""
