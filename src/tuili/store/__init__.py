"""What a model's folder holds, read without torch."""
