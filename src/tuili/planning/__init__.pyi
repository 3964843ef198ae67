from .curve import HealingCurve, find_curve
from .experts import ExpertPlan, plan_experts
from .matrices import MatrixKind, matrix_kinds
from .memory import Memory
from .plan import Plan, Weights, plan_distil, plan_factorise, plan_prune, plan_quantize
from .recovery import Recovery, RecoverySettings
from .sizes import parse_size, sized, told_size
from .source import PlannedModel, planned_model

__all__ = [
    "ExpertPlan",
    "HealingCurve",
    "MatrixKind",
    "Memory",
    "Plan",
    "PlannedModel",
    "Recovery",
    "RecoverySettings",
    "Weights",
    "find_curve",
    "matrix_kinds",
    "parse_size",
    "plan_distil",
    "plan_experts",
    "plan_factorise",
    "plan_prune",
    "plan_quantize",
    "planned_model",
    "sized",
    "told_size",
]
