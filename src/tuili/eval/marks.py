"""The marks of verdicts, for the terminal and for pages alike: light to import, as `tuili ask` needs them."""

from __future__ import annotations

MARKS = {"valid": "✓", "invalid": "✗", "unsupported": "·", "timeout": "·"}
