"""The loop plan: which loop each test and each fixture instance runs on, and why.

Pure: facts about the collected tests and fixtures go in, a `Plan` comes out. No pytest, no asyncio, no I/O.
"""

from __future__ import annotations

from looprig.plan.model import Component, Instance, Place, Plan
from looprig.plan.solve import Planner

__all__ = ["Component", "Instance", "Place", "Plan", "Planner"]
