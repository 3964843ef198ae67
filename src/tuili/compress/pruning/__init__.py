"""Structured pruning: removes whole neurons, groups of heads and experts, the least important first.

`sizes` says how many stay, `kept` chooses by score which ones stay, `reconstruction` chooses those that can best
compensate for the removed ones; `own` and `imported` apply both to the two kinds of models and cut them; `prune` joins
them.
"""
