"""Malformed records and hostile files: each must be refused with its file, place and reason, in bounded memory."""
