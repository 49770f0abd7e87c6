"""Contenders take turns: what the commands that measure have in common.

Does not know what a turn does.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, MutableMapping
from typing import TypeVar

from measure import ChildError

T = TypeVar("T")


class WrongRunError(Exception):
    """A contender did not do all that it was to do: a figure of such a run would be of something else."""


def in_turn(
    subjects: Mapping[str, Callable[[], T]], rounds: int, left_out: MutableMapping[str, str], needed: frozenset[str]
) -> dict[str, list[T]]:
    """Call each subject once to warm up, then in rounds, each round beginning with another.

    One that fails at the warm-up is left out, and why is put into `left_out`; `needed` may not fail.
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
