"""Factorisation: a matrix becomes the product of smaller ones, so that least is lost on the inputs that it gets.

`whitened` has the decomposition of one matrix or one of each expert, `shared` that with bases that all experts share;
`options` lists what a matrix may become, `allocation` chooses among them; `sensitivity` measures what each matters;
`own` and `imported` take the moments of inputs and put factors into a model, and `factorise` joins them. `trial` says
how long all that takes.
"""
