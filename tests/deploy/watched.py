"""The command, with a server that looks oftener at what experts and attention heads do: `SECONDS serve …`."""

from __future__ import annotations

import sys
from functools import partial

import tuili.serve
from tuili.cli.app import main

if __name__ == "__main__":
    # The command imports the settings when it serves, and has no option for this one.
    vars(tuili.serve)["Settings"] = partial(tuili.serve.Settings, observe_seconds=float(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
