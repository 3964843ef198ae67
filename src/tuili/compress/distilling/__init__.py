"""Distillation: a student of another size learns what its teacher predicts, then what it makes of its own chains.

`recipe` has the settings, `student` the student's size and first weights, `losses` what it learns by, `mask` where a
chain goes wrong, `writing` how chains are written, `chains` and `rounds` when and what of them is learnt; `distil`
joins them.
"""
