from .options import AdaptOptions
from .plan import Plan
from .run import AdaptResult, Listener, adapt
from .stages import Interrupted

__all__ = ["AdaptOptions", "AdaptResult", "Interrupted", "Listener", "Plan", "adapt"]
