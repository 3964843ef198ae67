from .accuracy import Cell, cells, mean_depth, paired_difference, wilson_interval
from .calibration.calibrate import (
    AttemptHistory,
    AttemptSnapshot,
    CalibrationGrid,
    calibrate,
    candidate_thresholds,
    certify_grid,
    check_sample_size,
    collect_histories,
    fit_confidence,
    fitting_part,
    replay,
    starting_setting,
    testing_part,
)
from .calibration.familiarity import learn_familiarity
from .calibration.guarantee import CertifiedSetting, LossTable, certify, empirical_setting
from .calibration.labelled import LabelledPrompt
from .calibration.risk import draw_risk_coverage
from .comparing import Comparison
from .conversations import Compared, answer_conversations
from .depth import DepthTrend, depth_trends
from .dice import ALIKE, likeness
from .evaluation import EvalSettings, evaluate
from .file_evaluation import FileSettings, evaluate_file
from .own import own_problems
from .parallel import Job, Measured, run_jobs
from .reporting.card import write_card
from .reporting.figures import (
    ACCENT_COLOUR,
    LEVEL_COLOURS,
    MUTED_COLOUR,
    PLOT_STYLE,
    depth_lines,
    figure_uri,
    heat_map,
    learning_curve,
)
from .reporting.kept import EVAL_FILE, figures_line, read_figures
from .reporting.page import write_html
from .reporting.report import cells_by_domain, sample, write_json
from .right import right_answers
from .runner import ScoredResponse, answer_problems

__all__ = [
    "ACCENT_COLOUR",
    "ALIKE",
    "EVAL_FILE",
    "LEVEL_COLOURS",
    "MUTED_COLOUR",
    "PLOT_STYLE",
    "AttemptHistory",
    "AttemptSnapshot",
    "CalibrationGrid",
    "Cell",
    "CertifiedSetting",
    "Compared",
    "Comparison",
    "DepthTrend",
    "EvalSettings",
    "FileSettings",
    "Job",
    "LabelledPrompt",
    "LossTable",
    "Measured",
    "ScoredResponse",
    "answer_conversations",
    "answer_problems",
    "calibrate",
    "candidate_thresholds",
    "cells",
    "cells_by_domain",
    "certify",
    "certify_grid",
    "check_sample_size",
    "collect_histories",
    "depth_lines",
    "depth_trends",
    "draw_risk_coverage",
    "empirical_setting",
    "evaluate",
    "evaluate_file",
    "figure_uri",
    "figures_line",
    "fit_confidence",
    "fitting_part",
    "heat_map",
    "learn_familiarity",
    "learning_curve",
    "likeness",
    "mean_depth",
    "own_problems",
    "paired_difference",
    "read_figures",
    "replay",
    "right_answers",
    "run_jobs",
    "sample",
    "starting_setting",
    "testing_part",
    "wilson_interval",
    "write_card",
    "write_html",
    "write_json",
]
