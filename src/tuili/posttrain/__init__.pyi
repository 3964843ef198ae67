from .exits.recipe import ExitsRecipe, ExitsTrainingConfig
from .exits.result import ExitsResult
from .exits.run import ExitsRun, train_exits
from .exits.texts import read_texts
from .promising import calibrate_folder, prompts_of_file, write_familiarity
from .teaching.recipe import TeachingConfig, TeachingRecipe
from .teaching.recorded import taught_sources
from .teaching.run import TeachingResult, teach
from .verifier.chains import GENERATED, UNKNOWN_LABEL
from .verifier.examples import Examples
from .verifier.fit import predict_logits
from .verifier.metrics import best_thresholds, calibrate_verifier, min_token_probability, verifier_figures
from .verifier.recipe import VerifierRecipe
from .verifier.run import VerifierRun, VerifierTrainingResult, train_verifier

__all__ = [
    "GENERATED",
    "UNKNOWN_LABEL",
    "Examples",
    "ExitsRecipe",
    "ExitsResult",
    "ExitsRun",
    "ExitsTrainingConfig",
    "TeachingConfig",
    "TeachingRecipe",
    "TeachingResult",
    "VerifierRecipe",
    "VerifierRun",
    "VerifierTrainingResult",
    "best_thresholds",
    "calibrate_folder",
    "calibrate_verifier",
    "min_token_probability",
    "predict_logits",
    "prompts_of_file",
    "read_texts",
    "taught_sources",
    "teach",
    "train_exits",
    "train_verifier",
    "verifier_figures",
    "write_familiarity",
]
