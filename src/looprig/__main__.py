"""The program `looprig`, also `python -m looprig`. Each of its commands is defined where its work is done."""

import argparse
import sys
from collections.abc import Sequence

from looprig._version import __version__
from looprig.migrate import command

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status."""
    parser = argparse.ArgumentParser(prog="looprig", description="Typed async testing for pytest.")
    parser.add_argument("--version", action="version", version=f"looprig {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command.configure(commands.add_parser("migrate", help="rewrite a suite of another async plugin"))
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
