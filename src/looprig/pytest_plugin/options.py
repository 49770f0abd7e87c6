"""The options and markers that looprig adds to pytest's configuration.

Every run loads this module, so it imports nothing else of looprig. It imports the loop factory only when the first loop
is opened.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import pytest

if TYPE_CHECKING:
    from looprig.runtime.host import LoopFactory

__all__ = [
    "ALLOW",
    "CATCH",
    "CHECKER_NAMES",
    "FORBID",
    "MARKERS",
    "OUTPUT_FORMATS",
    "PREFIX",
    "USED_MARKERS",
    "WATCHDOGS",
    "Options",
    "add_options",
    "adoption_asked_for",
    "end_bare_options",
    "inspection_asked_for",
    "read_ini",
    "used_markers",
]

_GROUP: Final = "looprig"
_ALL: Final = "all"
_EXPLAIN: Final = "--explain-loops"
CHECKER_NAMES: Final = ("mypy", "pyright", "ty", "pyrefly")
_INSPECTIONS: Final = ("check_fixtures", "reveal_fixtures", "annotate_fixtures")
OUTPUT_FORMATS: Final = ("text", "json", "github", "sarif")


PREFIX: Final = "_looprig_"
"""The prefix of the names of fixtures that only looprig uses."""

BLOCKING: Final = 0.1
"""Seconds for which a callback may block its loop, if the suite sets no threshold."""

CATCH: Final = "catch_loop_exceptions"
FORBID: Final = "forbid_get_event_loop"
WATCHDOGS: Final = "loop_watchdogs"
ALLOW: Final = "loop_allow_background"
"""Both are names of a marker and of an ini option."""

USED_MARKERS: Final = pytest.StashKey[set[str]]()
"""Which of the markers that turn watchers or watchdogs on are used in the run."""

MARKERS: Final = (
    "loop_timeout(seconds): limit for each of the test's set-up, call and teardown; @looprig.timeout is the typed form",
    "loop_watchdogs(policy, **kinds): policies for what watchdogs find; @looprig.watchdogs is the typed form",
    "loop_allow_background(*names, match): exceptions to allow; @looprig.allow_background is the typed form",
    "catch_loop_exceptions: the test fails if an exception reaches its loop's exception handler",
    "forbid_get_event_loop: the test fails if asyncio.get_event_loop is called during it",
)


def add_options(parser: pytest.Parser) -> None:
    """Add the options, each with an ini name."""
    group = parser.getgroup(_GROUP, "looprig: async tests, fixtures and services")
    group.addoption(
        _EXPLAIN,
        nargs="?",
        const="",
        default=None,
        metavar="NODEID",
        help="show which tests share a loop, and because of which fixture; with -v, the reason for each test; with "
        "=NODEID, the reason for a test, or for those of a class, file or folder",
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
        help="the factory of loops: asyncio, uvloop, or module:callable (ini: loop_factory)",
    )
    group.addoption(
        "--loop-watchdogs",
        default=None,
        metavar="POLICIES",
        help="error, warn or off for what watchdogs find, or kind=policy, separated by spaces (ini: loop_watchdogs)",
    )
    group.addoption(
        "--loop-trace",
        type=os.path.abspath,
        default=None,
        metavar="FILE.json",
        help="write a timeline of the run, to be opened in Perfetto, chrome://tracing or speedscope",
    )
    group.addoption(
        "--proxy-seed",
        type=_seed,
        default=None,
        metavar="NUMBER",
        help="the seed of the random faults of proxies; by default a new one in each run",
    )
    group.addoption(
        "--adopt",
        nargs="?",
        const=_ALL,
        default=None,
        metavar="PLUGINS",
        help="run the tests of other async plugins in their place: of all, or of these, comma-separated (ini: adopt)",
    )
    group.addoption(
        "--adopt-report",
        action="store_true",
        default=False,
        help="show what was adopted, which declarations are needless now, and which loop mismatches are gone",
    )
    _add_check_options(parser)
    parser.addini("adopt", "the other async plugins in whose place looprig runs tests: all, or names", type="args")
    parser.addini("loop_debug", "asyncio's debug mode", type="bool", default=False)
    parser.addini("loop_timeout", "seconds for each of a test's set-up, call and teardown", default="")
    parser.addini("loop_blocking_threshold", "seconds for which a callback may block its loop", default="")
    parser.addini("loop_when_stuck", "continue or exit, after a test that can't be ended", default="continue")
    parser.addini("loop_pool_size", "threads of a loop's executor", default="")
    parser.addini("loop_watchdogs", "error, warn or off for what watchdogs find, or kind=policy", type="args")
    parser.addini(
        "loop_allow_background", "failures in the background that fail no test: Type, or Type: pattern", type="linelist"
    )
    parser.addini("loop_factory", "the factory of loops: asyncio, uvloop, or module:callable", default="asyncio")


def _add_check_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("looprig-check", "looprig: fixture types")
    group.addoption(
        "--check-fixtures",
        nargs="?",
        const="",
        default=None,
        type=_checker,
        metavar="CHECKER",
        help="run no test; check the types of fixtures against the annotations of parameters, with mypy, pyright, ty "
        "or pyrefly (default: the one that the project configures)",
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
        help="with --check-fixtures: report fixtures that return another type than the fixture that they override",
    )
    group.addoption(
        "--check-untyped",
        action="store_true",
        default=False,
        help="with --check-fixtures: report fixtures without a return annotation",
    )
    group.addoption(
        "--check-format",
        choices=OUTPUT_FORMATS,
        default="text",
        help="the output format of --check-fixtures: text (default), json, github or sarif",
    )
    parser.addini("fixture_stubs", "folders with types of other plugins' fixtures", type="paths", default=[])


def _seed(text: str) -> int:
    with suppress(ValueError):
        if abs(seed := int(text)) <= sys.maxsize:
            return seed
    raise argparse.ArgumentTypeError(f"{text!r} isn't a whole number, of at most sys.maxsize")


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
    # argparse treats whatever follows an option with an optional value as that value.
    return argparse.ArgumentTypeError(f"{text!r} isn't a {what}. Put paths before this option")


def end_bare_options(args: list[str]) -> bool:
    """Add the "=" to options that take a value only after one, and return whether any lacked it.

    For argparse, whatever follows an option with an optional value is that value: `--explain-loops tests/` would run
    all tests and explain those in a folder.
    """
    end = args.index("--") if "--" in args else len(args)
    bare = [number for number, argument in enumerate(args[:end]) if argument == _EXPLAIN]
    for number in bare:
        args[number] = f"{_EXPLAIN}="
    return bool(bare)


def inspection_asked_for(config: pytest.Config) -> str | None:
    """Return the given option that inspects fixtures instead of running tests, if there is one."""
    asked = [name for name in _INSPECTIONS if config.getoption(name) is not None]
    if len(asked) > 1:
        shown = " and ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise pytest.UsageError(f"{shown} were given: use one at a time.")
    return asked[0] if asked else None


def adoption_asked_for(config: pytest.Config) -> frozenset[str] | None:
    """Return the names of the plugins to adopt in the whole run. `None` means all that can be adopted."""
    given: str | None = config.getoption("adopt")
    words = config.getini("adopt") if given is None else [given]
    names = frozenset(name for word in words for name in word.replace(",", " ").split())
    return None if _ALL in names else names


@final
class Options:
    """The options of a run: from the command line, or else from the ini file. `timeout` is in seconds."""

    __slots__ = (
        "blocking",
        "debug",
        "debugging",
        "ends_when_stuck",
        "factory",
        "factory_option",
        "pool_size",
        "timeout",
    )

    def __init__(self, config: pytest.Config) -> None:
        """Read the options.

        Raises:
            pytest.UsageError: a value is invalid for its option. The message names the option as it was written.
        """
        debug = config.getoption("loop_debug")
        self.debug: Final[bool] = read_ini(config, "loop_debug") if debug is None else debug
        self.timeout: Final[float | None] = _positive(config, "loop_timeout", float)
        self.blocking: Final[float] = _positive(config, "loop_blocking_threshold", float) or BLOCKING
        self.ends_when_stuck: Final = _ends_when_stuck(config)
        self.pool_size: Final[int | None] = _positive(config, "loop_pool_size", int)
        given: tuple[str, str] = _given(config, "loop_factory")
        self.factory: Final[str] = given[0]
        self.factory_option: Final[str] = given[1]
        module, _, name = self.factory.partition(":")
        if self.factory not in {"asyncio", "uvloop"} and not (module and name):
            raise self._no_factory("it names no factory")
        self.debugging: Final = bool(
            config.getoption("usepdb", default=False)
            or config.getoption("trace", default=False)
            or "pydevd" in sys.modules  # the debugger of an editor
        )
        if config.getoption("check_fixtures") is not None:
            _check_folders(config, "fixture_stubs")

    def loop_factory(self) -> "LoopFactory | None":
        """Return the factory; `None` means asyncio's own.

        Raises:
            ExtraMissingError: uvloop is not installed.
            pytest.UsageError: there is no such factory.
        """
        if self.factory == "asyncio":
            return None
        if self.factory == "uvloop":
            from looprig._extras import import_extra  # noqa: PLC0415 - not before it is needed

            uvloop = import_extra("uvloop", extra="uvloop", needed_for=self.factory_option)
            return uvloop.new_event_loop  # type: ignore[no-any-return]
        module, _, name = self.factory.partition(":")
        try:
            factory: LoopFactory = getattr(importlib.import_module(module), name)
        except Exception as error:
            raise self._no_factory(f"{type(error).__name__}: {error}") from error
        if not callable(factory):
            raise self._no_factory(f"{name} cannot be called")
        return factory

    def _no_factory(self, why: object) -> pytest.UsageError:
        return pytest.UsageError(f"{self.factory_option}: {why}. Give asyncio, uvloop, or module:callable.")


def _given(config: pytest.Config, name: str) -> tuple[Any, str]:
    """Return the value of an option, from the command line or else from the ini file, and the name it has there."""
    value = config.getoption(name, default=None)
    if value is not None:
        return value, f"--{name.replace('_', '-')}={value}"
    value = read_ini(config, name)
    return value, f"{name} = {value}"


def read_ini(config: pytest.Config, name: str) -> Any:
    """Return the value of an option in the ini file.

    Raises:
        pytest.UsageError: the value is of another type than the option has.
    """
    try:
        return config.getini(name)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{name}: {error}.") from None


def _positive(config: pytest.Config, name: str, kind: type[Any]) -> Any:
    given, option = _given(config, name)
    if given == "":  # not in the ini file
        return None
    what = "whole number" if kind is int else "number"
    with suppress(OverflowError, ValueError):
        value = kind(given)
        if 0 < value <= sys.maxsize:
            return value
    raise pytest.UsageError(f"{option}: give a {what} above 0.")


def _ends_when_stuck(config: pytest.Config) -> bool:
    value = read_ini(config, "loop_when_stuck")
    if value in {"continue", "exit"}:
        return bool(value == "exit")
    raise pytest.UsageError(f"loop_when_stuck = {value}: give continue or exit.")


def _check_folders(config: pytest.Config, name: str) -> None:
    for folder in cast("list[Path]", read_ini(config, name)):
        if not folder.is_dir():
            raise pytest.UsageError(f"{name}: there is no folder {folder}.")


def used_markers(items: Iterable[pytest.Item], wanted: AbstractSet[str]) -> set[str]:
    """Return those of the wanted markers that any test has. Look once at each class and module."""
    found: set[str] = set()
    parents: set[object] = set()
    for item in items:
        for node in item.iter_parents():
            if node in parents:
                break  # its parents are known too
            if node is not item:
                parents.add(node)
            found.update(mark.name for mark in node.own_markers if mark.name in wanted)
    return found
