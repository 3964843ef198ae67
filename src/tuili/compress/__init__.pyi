from .auto.latency import Latency, TurnSettings, measure_latency
from .auto.making import Interrupted
from .auto.report import AutoReport
from .auto.run import AutoRun
from .auto.settings import AutoPlan, AutoSettings
from .auto.targets import Targets
from .compression import Compression, stage_steps
from .distilling.distil import Distilling, distillation
from .distilling.recipe import OF_THE_TEACHER, DistilConfig, DistilRecipe, StudentConfig, size_changes
from .factorising.factorise import Factorising
from .factorising.recipe import FactoriseConfig, FactoriseRecipe
from .healing import HealedNetwork, forward_kl
from .imported import ImportedParent
from .measuring import Measuring
from .network import Network, TokenStates
from .own import OwnParent
from .parent import HealingData, Parent, Samples, open_parent
from .plan import CompressionPlan, make_plan, tried_plan
from .pruning.prune import Pruning
from .pruning.recipe import PruneConfig, PruneRecipe
from .quantizing.quantize import Quantizing, stored_bytes
from .quantizing.recipe import QuantizeConfig, QuantizeRecipe
from .recipe import HealingConfig
from .result import CompressionResult
from .run import compress

__all__ = [
    "OF_THE_TEACHER",
    "AutoPlan",
    "AutoReport",
    "AutoRun",
    "AutoSettings",
    "Compression",
    "CompressionPlan",
    "CompressionResult",
    "DistilConfig",
    "DistilRecipe",
    "Distilling",
    "FactoriseConfig",
    "FactoriseRecipe",
    "Factorising",
    "HealedNetwork",
    "HealingConfig",
    "HealingData",
    "ImportedParent",
    "Interrupted",
    "Latency",
    "Measuring",
    "Network",
    "OwnParent",
    "Parent",
    "PruneConfig",
    "PruneRecipe",
    "Pruning",
    "QuantizeConfig",
    "QuantizeRecipe",
    "Quantizing",
    "Samples",
    "StudentConfig",
    "Targets",
    "TokenStates",
    "TurnSettings",
    "compress",
    "distillation",
    "forward_kl",
    "make_plan",
    "measure_latency",
    "open_parent",
    "size_changes",
    "stage_steps",
    "stored_bytes",
    "tried_plan",
]
