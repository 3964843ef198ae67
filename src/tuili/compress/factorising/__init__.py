"""Factorisation: replaces a matrix by a product of smaller ones with the least loss on the inputs that it gets.

`whitened` has the decomposition of one matrix or one per expert, `shared` the one with bases that all experts share;
`options` lists what a matrix may become, `allocation` chooses among these; `sensitivity` measures how much each matrix
matters; `own` and `imported` take the moments of inputs and put factors into a model, and `factorise` joins them.
`trial` estimates how long all this takes.
"""
