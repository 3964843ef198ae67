"""Measuring speed: of the engine in this process, and of a server under load."""
