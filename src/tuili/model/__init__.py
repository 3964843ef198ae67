"""The reasoning model: configuration, sizes and the transformers classes, registered with the Auto classes."""

from transformers import AutoConfig, AutoModelForCausalLM

from tuili.model.config import TuiliConfig
from tuili.model.modeling import TuiliForCausalLM, TuiliModel, TuiliOutput

AutoConfig.register("tuili", TuiliConfig)
AutoModelForCausalLM.register(TuiliConfig, TuiliForCausalLM)

__all__ = ["TuiliConfig", "TuiliForCausalLM", "TuiliModel", "TuiliOutput"]
