"""Serves models over an HTTP API in OpenAI's format: `serve` runs the process, `make_app` builds the application.

Answers come from `tuili.engine`; the server adds HTTP: routes, keys, limits, metrics, traces and a page.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
