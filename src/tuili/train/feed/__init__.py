"""The data that the steps of a run read: which, in which order, prepared alongside training, and dealt to processes.

Only `tuili.train` imports from here.
"""
