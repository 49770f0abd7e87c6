"""The policy that applies to a test: that of its marker, the command line or the ini file, or else the default.

Does not apply it (`watchdogs` does), and does not report invalid markers (`checks.markers` does).

Loaded at the first finding, or at the start if the suite or the command line sets policies.

Invariant: a test that looprig runs in another plugin's place fails for a finding only if the suite sets a policy. The
default for such a test is `warn`, since it passed before.
"""

from collections.abc import Iterator
from typing import Final, final

import pytest

from looprig.declare.watchdogs import DEFAULTS, Allowed, Kind, Policy, allowed_from, read_policies
from looprig.pytest_plugin.options import ALLOW, WATCHDOGS, read_ini
from looprig.pytest_plugin.peers.active import Peers
from looprig.pytest_plugin.watch.markers import WATCHDOGS_TAKES, allowed_by, imported, policies_of

__all__ = ["Policies"]


@final
class Policies:
    """The policies of a run, and the failures that it allows."""

    def __init__(self, config: pytest.Config, peers: Peers) -> None:
        """Read the options.

        Raises:
            pytest.UsageError: the value of an option is invalid. The message shows it as it was written.
        """
        self._of_run: Final = _policies_of_run(config)
        self._allowed: Final = [_allowed(line) for line in read_ini(config, ALLOW)]
        self._adoption = peers.adoption or None

    def of(self, item: pytest.Item, kind: Kind) -> Policy:
        """Return the policy for a kind of finding in a test."""
        for marker in item.iter_markers(WATCHDOGS):
            if (found := (policies_of(marker) or {}).get(kind)) is not None:
                return found
        if (found := self._of_run.get(kind)) is not None:
            return found
        default = DEFAULTS[kind]
        is_adopted = (
            self._adoption is not None and isinstance(item, pytest.Function) and any(self._adoption.adopted_from(item))
        )
        return "warn" if is_adopted and default == "error" else default

    def may_apply(self, kind: Kind) -> bool:
        """Return whether the options turn a kind on that is off by default."""
        return self._of_run.get(kind, DEFAULTS[kind]) != "off"

    def allow(self, item: pytest.Item, cause: BaseException) -> bool:
        """Return whether a test allows a background failure."""
        kinds = type(cause).__mro__
        text = str(cause)
        return any(each.covers(kinds, text) for each in self._allowances(item))

    def _allowances(self, item: pytest.Item) -> Iterator[Allowed]:
        for marker in item.iter_markers(ALLOW):
            if isinstance(found := allowed_by(marker), Allowed):
                yield found
        yield from self._allowed


def _policies_of_run(config: pytest.Config) -> dict[Kind, Policy]:
    found = _read(f"{WATCHDOGS} = ", read_ini(config, WATCHDOGS))
    given: str | None = config.getoption(WATCHDOGS)
    return found if given is None else {**found, **_read("--loop-watchdogs=", given.split())}


def _read(option: str, words: list[str]) -> dict[Kind, Policy]:
    found = read_policies(words)
    if isinstance(found, str):
        raise pytest.UsageError(f"{option}{found}: {WATCHDOGS_TAKES}")
    return found


def _allowed(line: str) -> Allowed:
    name, _, pattern = line.partition(":")
    types = imported([name.strip()] if name.strip() else [])
    found = types if isinstance(types, str) else allowed_from(types, pattern.strip() or None)
    if isinstance(found, str):
        raise pytest.UsageError(
            f"{ALLOW} = {line}: {found}. Write Type, Type: pattern, or : pattern, one in each line."
        )
    return found
