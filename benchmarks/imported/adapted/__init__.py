"""Adapting models to a file of 300 problems of a kind that nobody has trained: tax brackets and scaled recipes."""
