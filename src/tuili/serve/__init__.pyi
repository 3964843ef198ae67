from .app import Settings, make_app
from .keys import Key, Keys, new_key, read_keys
from .models import ModelRegistry, engine_factory
from .request_metrics import RequestMetrics
from .server import HeaderTimeoutProtocol, serve
from .traces import Traces, otlp_traces

__all__ = [
    "HeaderTimeoutProtocol",
    "Key",
    "Keys",
    "ModelRegistry",
    "RequestMetrics",
    "Settings",
    "Traces",
    "engine_factory",
    "make_app",
    "new_key",
    "otlp_traces",
    "read_keys",
    "serve",
]
