"""Which examples teach best: the same questions answered in equations or in prose, and each once or multiplied."""
