"""`python -m tuili`: the same as the `tuili` command."""

import sys

from tuili.cli.app import main

sys.exit(main())
