"""Models behind an HTTP API in OpenAI's form: `serve` is the process, `make_app` the application.

Answers come from `tuili.engine`; what the server adds is HTTP: routes, keys, limits, metrics, traces and a page.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
