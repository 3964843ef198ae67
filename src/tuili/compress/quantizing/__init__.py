"""Quantisation: a model learns to predict in whole numbers what it predicted in full ones, or is only rounded.

`recipe` has the settings, `quantize` what becomes of a model of either kind, `compensation` how 4 bits are rounded.
"""
