"""The processes of a run that torchrun or `launch` starts: how they find one another, and know that the others live."""
