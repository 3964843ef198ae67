"""Who is admitted, who is run next, and what that is expected to take."""
