"""Junk, made for the benchmark of quality: by grammars, by spinning good texts, and of packages' own files."""
