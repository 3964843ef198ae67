"""How exact an imported model is: beside transformers and llama.cpp, in each format, at each depth, under budgets."""
