"""The search for a chain of compressions that meets targets of size, latency and loss within a time limit.

`targets` holds what is asked for, `space` the possible chains, `halving` the steps that each gets, `search` the
selection, and `front` the Pareto front. `making` makes models with the verbs' own code and measures them; `kept`
stores the results.
"""
