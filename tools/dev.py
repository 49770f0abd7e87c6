"""The commands for people and CI: run the example, run the tests.

Requires only Python 3.11 and its standard library. Creates its virtual environments in `.venvs/`, with the versions
pinned in `constraints.txt`. The steps are listed in `tools/steps.py`.

Invariants: every step runs, even if others before it failed. The last line that `test` prints is the closing line of
pytest's main run. The exit status is 0 only if each step passed.
"""

import sys
from pathlib import Path

OLDEST = (3, 11)

if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(f"Python {'.'.join(map(str, OLDEST))} or newer is needed, this is {sys.version.split()[0]}")
    # Python searches the script's own folder, but not the one that contains `tools`.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tools.commands import main

    sys.exit(main())
