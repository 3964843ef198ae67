from .load import REQUEST_TIMEOUT_SECONDS, LoadSettings, RequestResult, load_report, run_load
from .speed import SpeedSettings, measure_speed

__all__ = [
    "REQUEST_TIMEOUT_SECONDS",
    "LoadSettings",
    "RequestResult",
    "SpeedSettings",
    "load_report",
    "measure_speed",
    "run_load",
]
