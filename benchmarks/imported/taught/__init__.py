"""What teaching makes of an imported model: problems in words, solved in steps that the checker calculates."""
