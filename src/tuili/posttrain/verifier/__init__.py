"""Training the verifier: chains labelled by the checker, features of the frozen model, rounds against the generator."""
