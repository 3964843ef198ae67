from .alarm_files import AlarmFiles, default_state_folder
from .app import Settings, make_app
from .efforts import Effort, effort_limits
from .keys import Key, Keys, new_key, read_keys
from .models import ModelRegistry, engine_factory
from .monitoring.request_metrics import RequestMetrics
from .monitoring.traces import Traces, otlp_traces
from .server import HeaderTimeoutProtocol, serve

__all__ = [
    "AlarmFiles",
    "Effort",
    "HeaderTimeoutProtocol",
    "Key",
    "Keys",
    "ModelRegistry",
    "RequestMetrics",
    "Settings",
    "Traces",
    "default_state_folder",
    "effort_limits",
    "engine_factory",
    "make_app",
    "new_key",
    "otlp_traces",
    "read_keys",
    "serve",
]
