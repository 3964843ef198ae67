"""The run of a program: its instructions, the machine that executes them, and what its operators do."""
