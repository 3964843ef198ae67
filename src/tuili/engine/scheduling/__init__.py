"""Scheduling: which requests are admitted, what runs next, and how long that is expected to take."""
