"""Structured pruning: whole neurons, groups of heads and experts are removed, those of the lowest scores first.

`sizes` says how many stay, `scores` and its neighbours what each is worth, `kept` which stay; `own` and `imported` cut
a model of either kind; `prune` joins them.
"""
