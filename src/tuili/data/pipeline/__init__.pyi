from .block import AnyBlock, Block, BlockSettings, OrderedBlock
from .build import Built, Progress, build
from .document import Document, Drop, ReadFault, Refusal
from .lookup import Lookup
from .pipeline import Pipeline
from .readers.reader import Input
from .recipe import BuildRecipe, BuildSettings
from .words import Words, hash_words
from .writers.manifest import read_manifest

__all__ = [
    "AnyBlock",
    "Block",
    "BlockSettings",
    "BuildRecipe",
    "BuildSettings",
    "Built",
    "Document",
    "Drop",
    "Input",
    "Lookup",
    "OrderedBlock",
    "Pipeline",
    "Progress",
    "ReadFault",
    "Refusal",
    "Words",
    "build",
    "hash_words",
    "read_manifest",
]
