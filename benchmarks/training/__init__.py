"""Training: its speed beside that of a Mixtral, and the quickstart."""
