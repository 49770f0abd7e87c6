"""Rewriting of a fixture's parameters to fields of the service that it becomes: `port` becomes `self.port`."""

from collections.abc import Mapping
from typing import final

import libcst as cst

__all__ = ["OfSelf"]


@final
class OfSelf(cst.CSTTransformer):
    """Changes names to attributes of `self`, except attributes and keywords with the same names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self._names = names

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        new = self._names.get(original_node.value)
        return updated_node if new is None else cst.Attribute(cst.Name("self"), cst.Name(new))

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)
