"""Filters: blocks that drop documents by rules, and one that masks personal data. One module per block."""
