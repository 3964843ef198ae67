"""The engine: requests in, checked answers with receipts out, each within its budget.

`load_engine` makes an `Engine` from a model folder; a `Service` runs it for asyncio.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
