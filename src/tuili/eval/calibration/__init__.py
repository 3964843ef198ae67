"""Calibration of what a model can promise: the run, the statistics behind it, and the plot."""
