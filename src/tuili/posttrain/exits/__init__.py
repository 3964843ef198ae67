"""Training exits for imported dense models: small networks next to their layers, and the confidence to leave there.

`backbone` reads `texts`, and `states` stores its states; `adapters` and `confidence` train a `network` on them, or
`joint` trains it with the layers; `policy` measures the effect of leaving, `threshold` chooses when to leave, and `run`
joins them.
"""
