"""The search for a chain of compressions that meets targets of size, latency and loss within a time.

`targets` says what is asked, `space` which chains there are, `halving` how many steps each gets, `search` who goes on,
`front` who is beaten by none. `making` makes models by the verbs' own code and measures them; `kept` remembers them.
"""
