"""The decision procedures of the checker, one file for each theory."""
