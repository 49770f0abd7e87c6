"""The command line and ini options, read once.

Does not import a loop factory before the first loop is opened.
"""

import argparse
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from looprig._extras import import_extra

if TYPE_CHECKING:
    from looprig.runtime.host import LoopFactory

__all__ = ["Options", "add_options", "wants_check"]

_GROUP: Final = "looprig"
CHECKER_NAMES: Final = ("mypy", "pyright", "ty", "pyrefly")
OUTPUT_FORMATS: Final = ("text", "json", "github", "sarif")


def add_options(parser: pytest.Parser) -> None:
    """Adds the options, each with an ini name."""
    group = parser.getgroup(_GROUP, "looprig: async tests, fixtures and services")
    group.addoption(
        "--explain-loops",
        action="store_true",
        default=False,
        help="show which loop each test runs on, and the chain of fixtures that made it so",
    )
    group.addoption("--loop-debug", action="store_true", default=None, help="asyncio's debug mode (ini: loop_debug)")
    group.addoption(
        "--loop-timeout",
        type=float,
        default=None,
        metavar="SECONDS",
        help="limit for each of a test's set-up, call and teardown on its loop (ini: loop_timeout)",
    )
    group.addoption(
        "--loop-pool-size",
        type=int,
        default=None,
        metavar="THREADS",
        help="threads of a loop's executor (ini: loop_pool_size)",
    )
    group.addoption(
        "--loop-factory",
        default=None,
        metavar="FACTORY",
        help="what makes loops: asyncio, uvloop, or module:callable (ini: loop_factory)",
    )
    group.addoption(
        "--proxy-seed",
        type=int,
        default=None,
        metavar="NUMBER",
        help="what the random faults of proxies come from; by default another one in each run",
    )
    _add_check_options(parser)
    parser.addini("loop_debug", "asyncio's debug mode", type="bool", default=False)
    parser.addini("loop_timeout", "seconds for each of a test's set-up, call and teardown", default="")
    parser.addini("loop_pool_size", "threads of a loop's executor", default="")
    parser.addini("loop_factory", "what makes loops: asyncio, uvloop, or module:callable", default="asyncio")


def _add_check_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("looprig-check", "looprig: fixture types")
    group.addoption(
        "--check-fixtures",
        nargs="?",
        const="",
        default=None,
        type=_checker,
        metavar="CHECKER",
        help="run no test; have mypy, pyright, ty or pyrefly check what fixtures give against what tests and fixtures "
        "say they take (default: the one that the project configures)",
    )
    group.addoption(
        "--check-overrides",
        action="store_true",
        default=False,
        help="with --check-fixtures: tell overriding fixtures that give something else than what they override",
    )
    group.addoption(
        "--check-untyped",
        action="store_true",
        default=False,
        help="with --check-fixtures: tell fixtures that do not say what they give",
    )
    group.addoption(
        "--output-format",
        choices=OUTPUT_FORMATS,
        default="text",
        help="of what --check-fixtures finds: text (default), json, github or sarif",
    )
    parser.addini("fixture_stubs", "folders with types of other plugins' fixtures", type="paths", default=[])


def _checker(text: str) -> str:
    if text not in CHECKER_NAMES:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no type checker: give {', '.join(CHECKER_NAMES)}. Write paths before the option, or name "
            f"the checker with =: --check-fixtures=mypy {text}"
        )
    return text


def wants_check(config: pytest.Config) -> bool:
    """Whether fixtures are to be checked, and no test to be run."""
    return config.getoption("check_fixtures") is not None


@final
@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line, or else in the ini file. `timeout` is in seconds."""

    debug: bool
    timeout: float | None
    pool_size: int | None
    factory: str
    explain: bool
    debugging: bool

    @classmethod
    def of(cls, config: pytest.Config) -> "Options":
        """Reads the options.

        Raises:
            pytest.UsageError: a number is none, or not positive.
        """
        debug = config.getoption("loop_debug")
        return cls(
            debug=config.getini("loop_debug") if debug is None else debug,
            timeout=_positive(config, "loop_timeout", float),
            pool_size=_positive(config, "loop_pool_size", int),
            factory=config.getoption("loop_factory") or config.getini("loop_factory"),
            explain=bool(config.getoption("explain_loops")),
            debugging=bool(config.getoption("usepdb", default=False) or config.getoption("trace", default=False)),
        )

    def loop_factory(self) -> "LoopFactory | None":
        """The factory; `None` stands for asyncio's own.

        Raises:
            ExtraMissingError: uvloop is not installed.
            pytest.UsageError: there is no such factory.
        """
        if self.factory == "asyncio":
            return None
        if self.factory == "uvloop":
            uvloop = import_extra("uvloop", extra="uvloop", needed_for="--loop-factory=uvloop")
            return uvloop.new_event_loop  # type: ignore[no-any-return]
        module, _, name = self.factory.partition(":")
        try:
            factory: LoopFactory = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise self._no_factory(error) from error
        if not callable(factory):
            raise self._no_factory(f"{name} cannot be called")
        return factory

    def _no_factory(self, why: object) -> pytest.UsageError:
        return pytest.UsageError(f"--loop-factory={self.factory}: {why}. Give asyncio, uvloop, or module:callable.")


def _positive(config: pytest.Config, name: str, kind: type[Any]) -> Any:
    value = config.getoption(name)
    if value is None:
        text = config.getini(name)
        if not text:
            return None
        try:
            value = kind(text)
        except ValueError:
            raise pytest.UsageError(f"{name} = {text}: give a number.") from None
    if value <= 0:
        raise pytest.UsageError(f"{name} = {value}: give a number above 0.")
    return value
