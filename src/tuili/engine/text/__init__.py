"""From tokens to text, piece by piece: characters, stop texts, steps and their verdicts."""
