"""Training exits for imported dense models: small networks beside their layers, and the confidence to leave there.

`texts` are read by the `backbone`, whose `states` are kept; `adapters` and `confidence` train a `network` on them, or
`joint` trains it with the layers; `policy` measures what leaving does, `threshold` chooses when to leave, `run` joins.
"""
