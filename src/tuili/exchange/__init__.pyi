from .adapters.adding import import_adapter
from .adapters.fetching import Fetched, fetch_model
from .adapters.shipping import Shipped, ship_adapter
from .exporting import Exported, export_model
from .gguf_writing import GGUF_TYPES
from .importing import DTYPES, NAMED_SOURCES, Dtype, import_model
from .parity import PROMPTS, ParityError

__all__ = [
    "DTYPES",
    "GGUF_TYPES",
    "NAMED_SOURCES",
    "PROMPTS",
    "Dtype",
    "Exported",
    "Fetched",
    "ParityError",
    "Shipped",
    "export_model",
    "fetch_model",
    "import_adapter",
    "import_model",
    "ship_adapter",
]
