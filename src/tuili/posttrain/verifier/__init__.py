"""Training a verifier: chains labelled by the checker, features of the frozen model, rounds against the generator.

`chains` makes and labels texts, as `own` and `imported` models write them; `examples` adds the model's features, `fit`
trains, `metrics` evaluates, `run` joins them.
"""
