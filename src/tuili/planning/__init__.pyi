from .curve import HealingCurve, find_curve
from .memory import Memory
from .plan import Plan, Recovery, Weights, plan_distil, plan_factorise, plan_prune, plan_quantise
from .sizes import parse_size, sized, told_size
from .source import PlannedModel, planned_model

__all__ = [
    "HealingCurve",
    "Memory",
    "Plan",
    "PlannedModel",
    "Recovery",
    "Weights",
    "find_curve",
    "parse_size",
    "plan_distil",
    "plan_factorise",
    "plan_prune",
    "plan_quantise",
    "planned_model",
    "sized",
    "told_size",
]
