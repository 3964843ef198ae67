"""Where the numbers of a chain come from: the prompt, an earlier step, a stated constant, or nowhere.

Whether a step holds is left to `tuili.steps.checker`.
"""
