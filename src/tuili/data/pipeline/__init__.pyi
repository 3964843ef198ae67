from .block import AnyBlock, Block, BlockSettings, OrderedBlock
from .building import Built, Progress, build, survey
from .dedup.contamination import Decontamination
from .dedup.duplicates import DedupSettings
from .dedup.evaluation_items import EvaluationItem
from .document import Document, Drop, ReadFault, Refusal
from .filters.basic import shipped_thresholds
from .lookup import Lookup
from .pipeline import Dropped, Kept, Pipeline, Refused, Settled
from .quality.classifier import QualityClassifier
from .quality.judging import Confusion, judge
from .quality.storage import read_classifier, write_classifier
from .quality.teaching import Labelled, teach
from .readers.inputs import Input
from .recipe import BuildRecipe, BuildSettings
from .tally import Tally, told_number
from .words import Words, hash_words
from .writers.manifest import holds_records, is_corpus, read_manifest

__all__ = [
    "AnyBlock",
    "Block",
    "BlockSettings",
    "BuildRecipe",
    "BuildSettings",
    "Built",
    "Confusion",
    "Decontamination",
    "DedupSettings",
    "Document",
    "Drop",
    "Dropped",
    "EvaluationItem",
    "Input",
    "Kept",
    "Labelled",
    "Lookup",
    "OrderedBlock",
    "Pipeline",
    "Progress",
    "QualityClassifier",
    "ReadFault",
    "Refusal",
    "Refused",
    "Settled",
    "Tally",
    "Words",
    "build",
    "hash_words",
    "holds_records",
    "is_corpus",
    "judge",
    "read_classifier",
    "read_manifest",
    "shipped_thresholds",
    "survey",
    "teach",
    "told_number",
    "write_classifier",
]
