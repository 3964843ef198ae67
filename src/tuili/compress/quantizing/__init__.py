"""Quantisation: a model learns to predict in integers what it predicted in floating point, or is only rounded.

`recipe` has the settings, `quantize` the changes to either kind of model, `compensation` the rounding to 4 bits.
"""
