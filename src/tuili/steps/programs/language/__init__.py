"""The text of a program: its tokens, its syntax tree, and what is refused."""
