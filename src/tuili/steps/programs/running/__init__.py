"""The run of a program: its instructions, the machine that carries them out, and what its operators do."""
