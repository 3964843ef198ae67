"""Structured pruning: whole neurons, groups of heads and experts are removed, those that are missed least first.

`sizes` says how many stay, `kept` which by their scores, `reconstruction` which where the others make up for what goes;
`own` and `imported` do so with the parts of a model of either kind and cut it; `prune` joins them.
"""
