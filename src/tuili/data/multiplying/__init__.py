"""Multiplies records: the same question with other numbers, names and things, and every step recomputed.

`mentions` and `implied` read the numbers of a text, `chain` reads those of the steps, and `tracing` matches them.
`ranges` and `drawing` choose other values, `names` and `things` other words; `multiply` assembles a new record.
"""
