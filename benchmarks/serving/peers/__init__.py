"""Servers under load: ours and peers."""
