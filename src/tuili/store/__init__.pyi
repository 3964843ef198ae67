from .folder import SHIPPED_MODELS, check_files, check_size, replaced_folder, resolve_model, shipped_names
from .lineage import LineageEntry, model_hash, read_lineage, write_lineage
from .safetensors import read_tensors
from .shape import Conversation, ModelShape, read_shape
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
    "PAD",
    "SCALAR_FEATURES",
    "SHIPPED_MODELS",
    "SPECIAL_TOKENS",
    "USER",
    "VERIFIER_FILE",
    "Conversation",
    "Curve",
    "LineageEntry",
    "ModelShape",
    "Tokenizer",
    "VerifierCalibration",
    "VerifierConfig",
    "VerifierFile",
    "check_files",
    "check_size",
    "model_hash",
    "not_a_verifier",
    "read_lineage",
    "read_shape",
    "read_tensors",
    "read_verifier_file",
    "replaced_folder",
    "resolve_model",
    "shipped_names",
    "verifier_hash",
    "write_lineage",
    "write_verifier_file",
]
