"""What is left of a taught imported model that is made smaller."""
