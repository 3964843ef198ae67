"""Teaching an imported model to reason in steps: records become texts of which only the responses are learnt.

`examples` makes the texts, `data` chooses among them, `network` computes the loss, `run` joins them, `adapter` stores
the terms added to the weights in PEFT's format.
"""
