"""The rules as a resource for the Prometheus operator. `python -m deploy.monitoring.prometheus_rule` writes it to
`prometheus_rule.yaml`.
"""

from __future__ import annotations

from pathlib import Path

import yaml

RULES = Path(__file__).with_name("rules.yaml")
FILE = Path(__file__).with_name("prometheus_rule.yaml")
HEAD = "# Written by prometheus_rule.py from rules.yaml: change that, and write this anew.\n"


def build() -> str:
    """The rules as a resource of Kubernetes, in YAML."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "tuili", "labels": {"app.kubernetes.io/name": "tuili"}},
        "spec": yaml.safe_load(RULES.read_text()),
    }
    return HEAD + yaml.safe_dump(resource, sort_keys=False, width=120)


if __name__ == "__main__":
    FILE.write_text(build())
