"""What whole numbers cost in right answers, what learning them gives back, and how fast they are."""
