"""What a small student gains from its teacher, and from learning on chains of its own."""
