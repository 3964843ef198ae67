from .accuracy import paired_difference, wilson_interval
from .calibration.calibrate import (
    AttemptHistory,
    AttemptSnapshot,
    CalibrationGrid,
    LabelledPrompt,
    calibrate,
    candidate_thresholds,
    collect_histories,
    fit_confidence,
    replay,
    starting_setting,
)
from .calibration.familiarity import learn_familiarity
from .calibration.guarantee import CertifiedSetting, LossTable, certify, empirical_setting
from .calibration.risk import draw_risk_coverage
from .evaluation import EvalSettings, evaluate
from .own import own_problems
from .reporting.card import write_card
from .reporting.figures import (
    ACCENT_COLOUR,
    LEVEL_COLOURS,
    MUTED_COLOUR,
    PLOT_STYLE,
    depth_lines,
    figure_uri,
    heat_map,
)
from .reporting.kept import EVAL_FILE, figures_line, read_figures
from .reporting.report import cells_by_domain, sample, write_html, write_json
from .runner import ScoredResponse, answer_problems

__all__ = [
    "ACCENT_COLOUR",
    "EVAL_FILE",
    "LEVEL_COLOURS",
    "MUTED_COLOUR",
    "PLOT_STYLE",
    "AttemptHistory",
    "AttemptSnapshot",
    "CalibrationGrid",
    "CertifiedSetting",
    "EvalSettings",
    "LabelledPrompt",
    "LossTable",
    "ScoredResponse",
    "answer_problems",
    "calibrate",
    "candidate_thresholds",
    "cells_by_domain",
    "certify",
    "collect_histories",
    "depth_lines",
    "draw_risk_coverage",
    "empirical_setting",
    "evaluate",
    "figure_uri",
    "figures_line",
    "fit_confidence",
    "heat_map",
    "learn_familiarity",
    "own_problems",
    "paired_difference",
    "read_figures",
    "replay",
    "sample",
    "starting_setting",
    "wilson_interval",
    "write_card",
    "write_html",
    "write_json",
]
