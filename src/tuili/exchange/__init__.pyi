from .exporting import Exported, export_model
from .gguf_writing import GGUF_TYPES
from .importing import DTYPES, NAMED_SOURCES, import_model
from .parity import PROMPTS, ParityError

__all__ = [
    "DTYPES",
    "GGUF_TYPES",
    "NAMED_SOURCES",
    "PROMPTS",
    "Exported",
    "ParityError",
    "export_model",
    "import_model",
]
