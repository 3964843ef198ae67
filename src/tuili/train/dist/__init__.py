"""How processes share the steps of a training run. Only `tuili.train` imports from here.

`group` has the interface that the training loop uses; each other module is one way to implement it.
"""
