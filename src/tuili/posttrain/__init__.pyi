from .backbone import Backbone
from .exits.policy import Reading
from .exits.recipe import ExitsRecipe, ExitsTrainingConfig
from .exits.result import ExitsResult
from .exits.run import ExitsRun, train_exits
from .exits.texts import read_texts
from .exits.threshold import choose_threshold
from .learning import LearningConfig, LearningRate, LearningSession, OpenBlocks
from .learning_network import LearningNetwork
from .master_weights import MasterWeights
from .optimizer_state import build_optimizers
from .packed_rows import pack_attention, packed_states
from .promising import calibrate_folder, prompts_of_file, write_familiarity
from .rounded_backbone import round_backbone
from .teaching.data import build_sources, open_stream
from .teaching.examples import ExampleEncoder
from .teaching.recipe import TeachingConfig, TeachingDataConfig, TeachingRecipe
from .teaching.recorded import recorded_teaching, taught_sources
from .teaching.run import TeachingResult, teach
from .teaching.showing import TeachingFeed, taught_data_with
from .verifier.chains import GENERATED, UNKNOWN_LABEL
from .verifier.examples import Examples
from .verifier.fit import predict_logits
from .verifier.metrics import best_thresholds, calibrate_verifier, min_token_probability, verifier_figures
from .verifier.recipe import VerifierRecipe
from .verifier.run import VerifierRun
from .verifier.training import VerifierTrainingResult, train_verifier

__all__ = [
    "GENERATED",
    "UNKNOWN_LABEL",
    "Backbone",
    "ExampleEncoder",
    "Examples",
    "ExitsRecipe",
    "ExitsResult",
    "ExitsRun",
    "ExitsTrainingConfig",
    "LearningConfig",
    "LearningNetwork",
    "LearningRate",
    "LearningSession",
    "MasterWeights",
    "OpenBlocks",
    "Reading",
    "TeachingConfig",
    "TeachingDataConfig",
    "TeachingFeed",
    "TeachingRecipe",
    "TeachingResult",
    "VerifierRecipe",
    "VerifierRun",
    "VerifierTrainingResult",
    "best_thresholds",
    "build_optimizers",
    "build_sources",
    "calibrate_folder",
    "calibrate_verifier",
    "choose_threshold",
    "min_token_probability",
    "open_stream",
    "pack_attention",
    "packed_states",
    "predict_logits",
    "prompts_of_file",
    "read_texts",
    "recorded_teaching",
    "round_backbone",
    "taught_data_with",
    "taught_sources",
    "teach",
    "train_exits",
    "train_verifier",
    "verifier_figures",
    "write_familiarity",
]
