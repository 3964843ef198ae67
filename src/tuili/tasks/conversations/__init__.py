"""Conversations around problems: courtesies, system messages, earlier turns, and follow-ups that need earlier turns."""
