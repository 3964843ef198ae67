"""Blocks that drop what stands elsewhere: in the corpus before, or in an evaluation set."""
