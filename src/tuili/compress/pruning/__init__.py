"""Structured pruning: whole neurons, groups of heads and experts are removed, those of the lowest scores first.

`sizes` says how many stay, `kept` which; `own` and `imported` score the parts of a model of either kind and cut it;
`prune` joins them.
"""
