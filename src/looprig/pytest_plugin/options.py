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

__all__ = ["Options", "add_options", "looks_only"]

_GROUP: Final = "looprig"
CHECKER_NAMES: Final = ("mypy", "pyright", "ty", "pyrefly")
_LOOKS: Final = ("check_fixtures", "reveal_fixtures", "annotate_fixtures")
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
        "--reveal-fixtures",
        nargs="?",
        const="",
        default=None,
        type=_fixture_name,
        metavar="NAME",
        help="run no test; show the type, scope and loop of fixtures, where they are defined, and who uses them",
    )
    group.addoption(
        "--annotate-fixtures",
        nargs="?",
        const="show",
        default=None,
        type=_write,
        metavar="write",
        help="run no test; show the annotations that parameters of fixtures lack, and with =write write them",
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
        "--check-format",
        choices=OUTPUT_FORMATS,
        default="text",
        help="of what --check-fixtures finds: text (default), json, github or sarif",
    )
    parser.addini("fixture_stubs", "folders with types of other plugins' fixtures", type="paths", default=[])


def _checker(text: str) -> str:
    if not text or text in CHECKER_NAMES:
        return text
    raise _no(text, f"type checker: give {', '.join(CHECKER_NAMES)}")


def _fixture_name(text: str) -> str:
    if not text or text.isidentifier():
        return text
    raise _no(text, "name of a fixture")


def _write(text: str) -> str:
    if text in {"show", "write"}:
        return text
    raise _no(text, "way to annotate: give write, or nothing")


def _no(text: str, what: str) -> argparse.ArgumentTypeError:
    # Whatever stands behind an option that may have a value is taken for it: that is argparse's rule.
    return argparse.ArgumentTypeError(f"{text!r} is no {what}. Paths stand before the option, not behind it")


def looks_only(config: pytest.Config) -> str | None:
    """The option, if there is one, by which fixtures are looked at and no test is run."""
    asked = [name for name in _LOOKS if config.getoption(name) is not None]
    if len(asked) > 1:
        shown = " and ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise pytest.UsageError(f"{shown} were given: ask for one at a time.")
    return asked[0] if asked else None


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
