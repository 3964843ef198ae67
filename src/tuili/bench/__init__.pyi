from .load import REQUEST_TIMEOUT_SECONDS, LoadSettings, RequestResult, load_report, run_load
from .speed import SpeedSettings, measure_speed, worked_prompts
from .token_time import TokenTimer

__all__ = [
    "REQUEST_TIMEOUT_SECONDS",
    "LoadSettings",
    "RequestResult",
    "SpeedSettings",
    "TokenTimer",
    "load_report",
    "measure_speed",
    "run_load",
    "worked_prompts",
]
