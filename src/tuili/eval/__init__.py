"""Evaluation: one runner over unseen problems; accuracy, depth and experts measured on it; reports for both
readers.
"""
