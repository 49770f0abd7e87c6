"""Policies: what happens to each kind of finding of the watchdogs.

Does not find anything (`looprig.watch` does), and does not know which policy applies to a test (the plugin does). Pure.

Invariant: every kind has a policy, so a new kind is added to `Kind` and `DEFAULTS`, and nothing else changes here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, cast, get_args

from looprig.declare.values import TEXT, shown

__all__ = [
    "DEFAULTS",
    "GROUPS",
    "LEAKS",
    "POLICIES",
    "Allowed",
    "Kind",
    "Leak",
    "Policy",
    "allowed_from",
    "checked",
    "of_all",
    "read_policies",
]

Policy = Literal["error", "warn", "off"]
"""`error` fails the test, `warn` shows the finding at the end of the run, and `off` ignores it."""

Leak = Literal["tasks", "listeners", "transports", "subprocesses", "threads", "generators", "descriptors"]
"""What a test or fixture can leave running or open. `generators` are async generators."""

Kind = Literal["background", "blocking", "deadlocks", "hangs"] | Leak
"""What watchdogs look for.

`background`: exceptions that nothing handles, and coroutines that are never awaited.
`blocking`: callbacks that hold their loop.
`deadlocks`: loops that nothing can wake.
`hangs`: phases of tests that take longer than the default time limit.
"""

POLICIES: Final[tuple[str, ...]] = get_args(Policy)

LEAKS: Final[tuple[Leak, ...]] = get_args(Leak)

GROUPS: Final[Mapping[str, tuple[Kind, ...]]] = {"leaks": LEAKS}
"""Names that stand for several kinds."""

DEFAULTS: Final[Mapping[Kind, Policy]] = {
    "background": "error",
    "blocking": "warn",
    "deadlocks": "error",
    "hangs": "error",
    **dict.fromkeys(LEAKS, "warn"),
    "descriptors": "off",
}
"""The policy of each kind if a suite sets none."""


def checked(given: Mapping[str, object]) -> dict[Kind, Policy] | None:
    """Return policies by kind, or `None` if a kind or policy doesn't exist. A kind takes precedence over its group."""
    found: dict[str, object] = {kind: given[group] for group in given if group in GROUPS for kind in GROUPS[group]}
    found |= {kind: policy for kind, policy in given.items() if kind not in GROUPS}
    if any(kind not in DEFAULTS or policy not in POLICIES for kind, policy in found.items()):
        return None
    return cast("dict[Kind, Policy]", found)


def of_all(policy: Policy) -> dict[Kind, Policy]:
    """Return one policy for all kinds."""
    return dict.fromkeys(DEFAULTS, policy)


def read_policies(words: Iterable[str]) -> dict[Kind, Policy] | str:
    """Parse the words of an ini value or option into policies, or return the first word that is invalid.

    A word is a policy for all kinds, such as `error`, or the policy of a kind or group, such as `leaks=warn`.
    Later words take precedence.
    """
    found: dict[Kind, Policy] = {}
    for word in words:
        name, has_name, policy = word.partition("=")
        one = checked({name: policy} if has_name else dict.fromkeys(DEFAULTS, name))
        if one is None:
            return word
        found.update(one)
    return found


class Allowed:
    """Background failures that a suite allows: exceptions of these types, or whose text matches a pattern.

    A type is a class, or its name: the bare name or the dotted path. An empty `types` allows every type.
    """

    __slots__ = ("_pattern", "_types")

    def __init__(self, types: tuple[type[BaseException] | str, ...], pattern: "re.Pattern[str] | None") -> None:
        self._types = types
        self._pattern = pattern

    def covers(self, kinds: tuple[type, ...], text: str) -> bool:
        """Return whether a failure is allowed, given its text, and the class of its exception with all base classes."""
        is_type = not self._types or any(_is(kind, name) for kind in kinds for name in self._types)
        return is_type and (self._pattern is None or self._pattern.search(text) is not None)


def _is(kind: type, wanted: type | str) -> bool:
    if isinstance(wanted, str):
        return wanted in {kind.__qualname__, f"{kind.__module__}.{kind.__qualname__}"}
    return kind is wanted


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def allowed_from(types: Iterable[Any], match: Any) -> Allowed | str:
    """Return the failures that these types and this pattern allow, or a text that says what is wrong with them."""
    found: list[type[BaseException] | str] = []
    for each in types:
        if not TEXT.accepts(each) and not _is_exception(each):
            return f"{shown(each)} isn't a class of exceptions"
        found.append(each)
    if match is None:
        return Allowed(tuple(found), None) if found else "it names no class of exceptions and no text"
    if not TEXT.accepts(match):
        return f"match={shown(match)} isn't a regular expression"
    try:
        return Allowed(tuple(found), re.compile(match))
    except re.error as error:
        return f"match={shown(match)} isn't a regular expression: {error}"
