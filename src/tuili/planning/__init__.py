"""Plans compressions of models that need not exist: shapes on the meta device, without any weights.

`sizes` gives the network for a size, `source` handles what else a name may mean; `parent` passes its shape to the
methods of `tuili.compress`, which compute the rest as for their own `--plan`. `memory` and `recovery` estimate the
cost. `experts` plans which process of a training holds which experts.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
