"""Blocks that drop documents whose text occurs elsewhere: earlier in the corpus, or in an evaluation set."""
