"""The blocks that a recipe may name. Add the settings of a new block to the union here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tuili.data.pipeline.dedup.contamination import DecontaminationSettings
from tuili.data.pipeline.dedup.duplicates import DedupSettings
from tuili.data.pipeline.filters.basic import BasicSettings
from tuili.data.pipeline.filters.c4 import C4Settings
from tuili.data.pipeline.filters.fineweb import FineWebSettings
from tuili.data.pipeline.filters.gopher import GopherQualitySettings, GopherRepetitionSettings
from tuili.data.pipeline.filters.masking import MaskingSettings
from tuili.data.pipeline.filters.measuring import MeasuringSettings
from tuili.data.pipeline.filters.quality import QualitySettings
from tuili.data.pipeline.routing.route import RoutingSettings

_Filters = BasicSettings | QualitySettings | MaskingSettings | MeasuringSettings
_Published = GopherQualitySettings | GopherRepetitionSettings | C4Settings | FineWebSettings
_Elsewhere = DedupSettings | DecontaminationSettings | RoutingSettings
AnyBlockSettings = Annotated[_Filters | _Published | _Elsewhere, Field(discriminator="block")]
