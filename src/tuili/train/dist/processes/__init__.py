"""The processes of a run that torchrun or `launch` starts: how they meet, and how they know that the others live."""
