"""The change of source text that adds annotations and imports, and leaves all else as it is, to the last space.

Needs libcst (`looprig[check]`). Does not write files.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor
from libcst.metadata import MetadataWrapper, PositionProvider

from looprig.check.annotate import Annotation

__all__ = ["rewritten"]


def rewritten(text: bytes, annotations: Sequence[Annotation]) -> bytes:
    """Return a source file with the missing annotations and their imports added, in its own encoding."""
    wrapper = MetadataWrapper(cst.parse_module(text))
    wanted = {(each.spot.line, each.spot.column - 1): each.text for each in annotations}
    module = wrapper.visit(_Annotating(wanted))
    context = CodemodContext()
    for imported, name in dict.fromkeys(need for each in annotations for need in each.imports):
        AddImportsVisitor.add_needed_import(context, imported, name or None)
    return AddImportsVisitor(context).transform_module(module).bytes


@final
class _Annotating(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, wanted: Mapping[tuple[int, int], str]) -> None:
        super().__init__()
        self._wanted: Final = wanted

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:  # noqa: N802 - libcst's name
        at: Any = self.get_metadata(PositionProvider, original_node)
        text = self._wanted.get((at.start.line, at.start.column))
        if text is None or updated_node.annotation is not None:
            return updated_node
        annotation = cst.Annotation(cst.parse_expression(text))
        if updated_node.default is None:
            return updated_node.with_changes(annotation=annotation)
        spaced = cst.AssignEqual(cst.SimpleWhitespace(" "), cst.SimpleWhitespace(" "))
        return updated_node.with_changes(annotation=annotation, equal=spaced)
