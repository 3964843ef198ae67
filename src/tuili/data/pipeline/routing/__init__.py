"""Routing: to which domain a document belongs, and records lifted from the problems in it, whose steps are checked.

`route` is the block, `problems` finds problems in text and `equations` their calculations, `lifting` checks them and
makes records, `domains` knows the words of each domain.
"""
