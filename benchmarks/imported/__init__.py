"""Imported models: their speed beside other engines with the same weights, how exact they are, and serving them."""
