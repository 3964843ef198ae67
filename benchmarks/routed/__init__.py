"""Questions of others, routed: how many of their chains the checker decides, and which it refutes."""
