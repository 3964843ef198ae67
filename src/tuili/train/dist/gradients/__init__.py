"""How the gradients of all processes become one: the forms in which they travel, and what rounding loses of them."""
