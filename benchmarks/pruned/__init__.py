"""What pruning costs and what recovery gives back, by what tells which parts go."""
