"""Puts the contents of problems into words, by forms in data files, in English and Chinese."""
