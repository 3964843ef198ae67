"""Routing: to which domain a document belongs, and records extracted from the problems in it, whose steps are checked.

`route` is the block, `problems` finds problems in text and `equations` their calculations, `extraction` checks them and
makes records, `domains` knows the words of each domain.
"""
