"""The engine: exactness, promises, overload, fuzzed budgets, what a budget buys, and other engines beside it."""
