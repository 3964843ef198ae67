"""Teaching an imported model to reason in steps: records become texts whose responses alone are learnt.

`examples` makes the texts, `data` chooses among them, `network` computes the loss, `run` joins them, `adapter` keeps
what is added to the weights in PEFT's format.
"""
