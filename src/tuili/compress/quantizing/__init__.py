"""Quantisation: a model learns to predict in whole numbers what it predicted in full ones, or is rounded as it is.

`recipe` has the settings, `quantize` what becomes of a model of either kind.
"""
