from .compression import Compression
from .distilling.distil import Distilling
from .distilling.recipe import DistilConfig, DistilRecipe, StudentConfig
from .factorising.factorise import Factorising
from .factorising.recipe import FactoriseConfig, FactoriseRecipe
from .healing import HealedNetwork, forward_kl
from .measuring import Measuring
from .network import Network, TokenStates
from .parent import HealingData, Parent, Samples, open_parent
from .plan import CompressionPlan, make_plan, tried_plan
from .pruning.prune import Pruning
from .pruning.recipe import PruneConfig, PruneRecipe
from .quantizing.quantize import Quantizing
from .quantizing.recipe import QuantizeConfig, QuantizeRecipe
from .recipe import HealingConfig
from .result import CompressionResult
from .run import compress

__all__ = [
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
    "Measuring",
    "Network",
    "Parent",
    "PruneConfig",
    "PruneRecipe",
    "Pruning",
    "QuantizeConfig",
    "QuantizeRecipe",
    "Quantizing",
    "Samples",
    "StudentConfig",
    "TokenStates",
    "compress",
    "forward_kl",
    "make_plan",
    "open_parent",
    "tried_plan",
]
