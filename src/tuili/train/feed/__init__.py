"""What the steps of a run are fed with: which data in which order, prepared beside the training, dealt to processes.

Only `tuili.train` imports from here.
"""
