"""Reports of an evaluation: the page, the model card and their plots."""
