"""Gradients in a few bits: how fast they are packed, and what they cost."""
