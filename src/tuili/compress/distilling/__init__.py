"""Distillation: a student of another size learns what its teacher predicts, then from chains that it writes itself.

`recipe` has the settings, `student` the student's size and initial weights, `losses` the losses, `mask` the point where
a chain goes wrong, `writing` the writing of chains, `chains` and `rounds` when and what is learnt of them; `distil`
joins them.
"""
