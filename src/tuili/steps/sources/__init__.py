"""Where the numbers of a chain come from: the prompt, an earlier step, a stated constant, or nowhere.

`tuili.steps.checker` decides whether a step holds.
"""
