"""Rounds in which contenders take turns, for all commands that measure.

Doesn't know what a turn does.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, MutableMapping
from typing import TypeVar

from measure import ChildError

T = TypeVar("T")


class WrongRunError(Exception):
    """A contender didn't do everything that it should, so the run has no meaningful figure."""


def in_turn(
    subjects: Mapping[str, Callable[[], T]], rounds: int, left_out: MutableMapping[str, str], needed: frozenset[str]
) -> dict[str, list[T]]:
    """Call each subject once to warm up, then in rounds, each starting with another subject.

    A subject that fails its warm-up is left out, and the reason is added to `left_out`. `needed` must not fail.
    """
    done: dict[str, list[T]] = {}
    for name, subject in subjects.items():
        try:
            subject()
        except (ChildError, WrongRunError) as error:
            left_out[name] = str(error)
            if name in needed:
                raise
        else:
            done[name] = []
    names = list(done)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            done[name].append(subjects[name]())
    return done


def machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }
