"""Routing: assigns a domain to each document, and extracts records from the problems in it, whose steps are checked.

`route` is the block. `problems` finds problems in text, and `equations` their calculations; `extraction` checks them
and makes records; `domains` knows the words of each domain.
"""
