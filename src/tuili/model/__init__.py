"""The reasoning model: configuration and network, registered with transformers' Auto classes; verifier; folders.

Importing this package registers the model type `tuili` and the types of imported models with factors, so it imports
torch and transformers at once. `tuili.store` reads a model's folder without them.
"""

from transformers import AutoConfig, AutoModelForCausalLM

from tuili.model.attention import record_reads
from tuili.model.config import TuiliConfig
from tuili.model.experts import Experts, MixtureOfExperts, Route, Routing, RoutingRecord, route_tokens
from tuili.model.factorised import LowRankLinear, factorised_dense, load_dense, register_factorised
from tuili.model.fake_quantization import foreign_embeddings, foreign_linear, rounded_heads
from tuili.model.folder import LoadedModel, check_folder, load_model, save_model, write_model_files
from tuili.model.kernels import gated_silu, set_kernels, token_loss
from tuili.model.layers import (
    FeedForward,
    KeyValueProjection,
    LayeredAttention,
    Projection,
    ReasoningLayer,
    RMSNorm,
    TrunkLayer,
)
from tuili.model.low_rank import LowRankExperts, LowRankProjection, factors_of
from tuili.model.modeling import TuiliForCausalLM, TuiliModel, TuiliOutput
from tuili.model.presets import PRESETS, preset
from tuili.model.rotary import rotary
from tuili.model.rounding import mixed, round_weight
from tuili.model.size import count_parameters
from tuili.model.stored_numbers import network_state, stored_state
from tuili.model.tokenizer import transformers_tokenizer
from tuili.model.verifier import (
    LOG_PROBABILITY_SCALE,
    LoadedVerifier,
    Verifier,
    features_of,
    probabilities,
    read_verifier,
    response_features,
    write_verifier,
)

AutoConfig.register("tuili", TuiliConfig)
AutoModelForCausalLM.register(TuiliConfig, TuiliForCausalLM)
register_factorised()

__all__ = [
    "LOG_PROBABILITY_SCALE",
    "PRESETS",
    "Experts",
    "FeedForward",
    "KeyValueProjection",
    "LayeredAttention",
    "LoadedModel",
    "LoadedVerifier",
    "LowRankExperts",
    "LowRankLinear",
    "LowRankProjection",
    "MixtureOfExperts",
    "Projection",
    "RMSNorm",
    "ReasoningLayer",
    "Route",
    "Routing",
    "RoutingRecord",
    "TrunkLayer",
    "TuiliConfig",
    "TuiliForCausalLM",
    "TuiliModel",
    "TuiliOutput",
    "Verifier",
    "check_folder",
    "count_parameters",
    "factorised_dense",
    "factors_of",
    "features_of",
    "foreign_embeddings",
    "foreign_linear",
    "gated_silu",
    "load_dense",
    "load_model",
    "mixed",
    "network_state",
    "preset",
    "probabilities",
    "read_verifier",
    "record_reads",
    "response_features",
    "rotary",
    "round_weight",
    "rounded_heads",
    "route_tokens",
    "save_model",
    "set_kernels",
    "stored_state",
    "token_loss",
    "transformers_tokenizer",
    "write_model_files",
    "write_verifier",
]
