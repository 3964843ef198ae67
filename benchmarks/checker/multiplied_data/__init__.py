"""How much of real data can be multiplied, and whether what comes of it is right by a program of its own."""
