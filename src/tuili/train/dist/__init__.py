"""How processes share the steps of a training run. Only `tuili.train` imports from here.

`group` has the interface by which processes meet, `backend` the one that the trainer uses; the other modules implement
them, and start processes.
"""
