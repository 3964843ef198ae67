"""Exact values and how expressions are evaluated to them."""
