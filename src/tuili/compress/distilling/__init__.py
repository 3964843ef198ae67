"""Distillation: a student of another size learns what its teacher predicts, then what it makes of its own chains.

`recipe` has the settings, `student` the student's size and first weights, `losses` what it learns by, `mask` where a
chain goes wrong, `rounds` what is written in between, `distil` joins them.
"""
