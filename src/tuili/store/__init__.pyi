from .familiarity_file import (
    FAMILIARITY_FILE,
    FamiliarityFile,
    familiarity_hash,
    read_familiarity_file,
    write_familiarity_file,
)
from .folder import SHIPPED_MODELS, check_files, check_size, replaced_folder, resolve_model, shipped_names
from .lineage import LineageEntry, check_recorded, model_hash, read_lineage, write_lineage
from .ngrams import NgramFilter, Ngrams, ngrams_of, novelty
from .safetensors import read_tensors
from .shape import CONFIG_FIELDS, Conversation, ModelSettings, ModelShape, read_settings, read_shape
from .size import Parameters, count_parameters
from .stored_model import StoredModel, load_tokenizer, open_model
from .tensors import TENSOR_FAULTS, StoredTensors, open_tensors, refuse_faults, tensor_shapes
from .tokenizer import ASSISTANT, BEGIN, PAD, SPECIAL_TOKENS, USER, Tokenizer
from .verifier_file import (
    SCALAR_FEATURES,
    VERIFIER_FILE,
    Curve,
    VerifierCalibration,
    VerifierConfig,
    VerifierFile,
    not_a_verifier,
    read_verifier_file,
    verifier_hash,
    write_verifier_file,
)

__all__ = [
    "ASSISTANT",
    "BEGIN",
    "CONFIG_FIELDS",
    "FAMILIARITY_FILE",
    "PAD",
    "SCALAR_FEATURES",
    "SHIPPED_MODELS",
    "SPECIAL_TOKENS",
    "TENSOR_FAULTS",
    "USER",
    "VERIFIER_FILE",
    "Conversation",
    "Curve",
    "FamiliarityFile",
    "LineageEntry",
    "ModelSettings",
    "ModelShape",
    "NgramFilter",
    "Ngrams",
    "Parameters",
    "StoredModel",
    "StoredTensors",
    "Tokenizer",
    "VerifierCalibration",
    "VerifierConfig",
    "VerifierFile",
    "check_files",
    "check_recorded",
    "check_size",
    "count_parameters",
    "familiarity_hash",
    "load_tokenizer",
    "model_hash",
    "ngrams_of",
    "not_a_verifier",
    "novelty",
    "open_model",
    "open_tensors",
    "read_familiarity_file",
    "read_lineage",
    "read_settings",
    "read_shape",
    "read_tensors",
    "read_verifier_file",
    "refuse_faults",
    "replaced_folder",
    "resolve_model",
    "shipped_names",
    "tensor_shapes",
    "verifier_hash",
    "write_familiarity_file",
    "write_lineage",
    "write_verifier_file",
]
