"""Plans of compressions of models that nobody has to have: shapes on the meta device, without a weight.

`sizes` says which network a size stands for, `source` what else a name may mean; `parent` hands its shape to the ways
of `tuili.compress`, which compute the rest as for their own `--plan`. `memory` and `recovery` say what it would take.
`experts` plans which process of a training holds which experts.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
