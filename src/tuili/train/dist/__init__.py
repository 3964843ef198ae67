"""How processes share the steps of a training run. Only `tuili.train` imports from here.

`group` defines the interface through which processes communicate, and `backend` the one that the trainer uses. The
other modules implement them, and start processes.
"""
