"""Renders the contents of problems in English and Chinese, by forms in data files."""
