"""One command each for what a person, and CI, does with this repository: run the example, pass the tests.

Needs Python 3.11 and its standard library, nothing installed: the virtual environments it makes for itself
stand in `.venvs/`, with the versions that `constraints.txt` pins. What is run stands in `tools/steps.py`.

Invariants: every step runs, whatever became of the ones before it. The last line printed by `test` is the
closing line of pytest's main run. The exit status is 0 only when each step passed.
"""

import sys
from pathlib import Path

OLDEST = (3, 11)

if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(f"Python {'.'.join(map(str, OLDEST))} or newer is needed, this is {sys.version.split()[0]}")
    # Python looks in the folder of a script, and not in the one that has `tools` in it.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tools.commands import main

    sys.exit(main())
