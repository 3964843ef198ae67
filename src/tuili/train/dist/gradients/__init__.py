"""How the gradients of all processes are averaged: the forms in which they travel, and their rounding errors."""
