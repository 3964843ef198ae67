"""Multiplies records: the same question with other numbers, names and things, and every step worked out anew.

`mentions` and `implied` read the numbers of a text, `chain` those of the steps, `tracing` says which is which. `ranges`
and `drawing` choose other values, `names` and `things` other words; `multiply` puts a new record together.
"""
