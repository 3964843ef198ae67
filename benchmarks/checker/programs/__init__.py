"""Programs that are drawn at random: the interpreter and its verdicts against CPython in processes of its own."""
