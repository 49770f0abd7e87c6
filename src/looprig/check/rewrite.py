"""Adding annotations and imports to source text, without any other change, not even in whitespace.

Needs libcst (`looprig[check]`). Does not write files.
"""

import io
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, final

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor
from libcst.metadata import MetadataWrapper, PositionProvider

from looprig.check.annotate import Annotation, Import
from looprig.check.wrap import wrapped

__all__ = ["rewritten"]


def rewritten(text: bytes, annotations: Sequence[Annotation], width: int) -> bytes:
    """Return a source file with the missing annotations and their imports added, in its own encoding.

    Signatures that become longer than `width` are wrapped.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(text).readline)
    wrapper = MetadataWrapper(cst.parse_module(text))
    annotating = _Annotating(
        {(each.spot.line, each.spot.column - 1): each.text for each in annotations if not each.returns},
        {(each.spot.line, each.spot.column - 1): each.text for each in annotations if each.returns},
    )
    annotated = wrapper.visit(annotating).bytes.decode(encoding)
    module = cst.parse_module(wrapped(annotated, annotating.changed, width).encode(encoding))
    imports = list(dict.fromkeys(need for each in annotations for need in each.imports))
    module = _with_imports(module, [each for each in imports if not each.for_checkers])
    return _with_imports_for_checkers(module, [each for each in imports if each.for_checkers]).bytes


@final
class _Annotating(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, parameters: Mapping[tuple[int, int], str], returns: Mapping[tuple[int, int], str]) -> None:
        super().__init__()
        self._parameters: Final = parameters
        self._returns: Final = returns
        self.changed: set[int] = set()
        """The lines of the functions whose signatures were changed."""

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:  # noqa: N802 - libcst's name
        text = self._parameters.get(self._place(original_node))
        if text is None or updated_node.annotation is not None:
            return updated_node
        annotation = cst.Annotation(cst.parse_expression(text))
        if updated_node.default is None:
            return updated_node.with_changes(annotation=annotation)
        spaced = cst.AssignEqual(cst.SimpleWhitespace(" "), cst.SimpleWhitespace(" "))
        return updated_node.with_changes(annotation=annotation, equal=spaced)

    def leave_FunctionDef(  # noqa: N802 - libcst's name
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        place = self._place(original_node)
        text = self._returns.get(place)
        if text is not None and updated_node.returns is None:
            updated_node = updated_node.with_changes(returns=cst.Annotation(cst.parse_expression(text)))
        if not updated_node.params.deep_equals(original_node.params) or text is not None:
            self.changed.add(place[0])
        return updated_node

    def _place(self, node: cst.CSTNode) -> tuple[int, int]:
        at: Any = self.get_metadata(PositionProvider, node)
        return at.start.line, at.start.column


def _with_imports(module: cst.Module, imports: Iterable[Import]) -> cst.Module:
    context = CodemodContext()
    for each in imports:
        AddImportsVisitor.add_needed_import(context, each.module, each.name or None)
    return AddImportsVisitor(context).transform_module(module)


def _with_imports_for_checkers(module: cst.Module, imports: Sequence[Import]) -> cst.Module:
    """Add imports under `if TYPE_CHECKING:`, in the existing block or else below the first imports."""
    if not imports:
        return module
    lines = [cst.parse_statement(text, module.config_for_parsing) for text in _statements(imports)]
    body = list(module.body)
    for index, statement in enumerate(body):
        match statement:
            case cst.If(test=test, body=cst.IndentedBlock() as block, orelse=None) if _is_for_checkers(test):
                body[index] = statement.with_changes(body=block.with_changes(body=[*block.body, *lines]))
                return module.with_changes(body=body)
            case _:
                pass
    module = _with_imports(module, [Import("typing", "TYPE_CHECKING", for_checkers=False)])
    body = list(module.body)
    at = 1 + max(index for index, statement in enumerate(body) if _is_head(statement, body[:index]))
    new = cst.If(cst.Name("TYPE_CHECKING"), cst.IndentedBlock(lines), leading_lines=[cst.EmptyLine(indent=False)])
    return module.with_changes(body=[*body[:at], new, *_apart(body[at:])])


def _statements(imports: Iterable[Import]) -> list[str]:
    plain = sorted(f"import {each.module}\n" for each in imports if not each.name)
    names: dict[str, set[str]] = {}
    for each in imports:
        if each.name:
            names.setdefault(each.module, set()).add(each.name)
    return [*plain, *(f"from {module} import {', '.join(sorted(names[module]))}\n" for module in sorted(names))]


def _is_for_checkers(test: cst.BaseExpression) -> bool:
    name = test.attr if isinstance(test, cst.Attribute) else test
    return isinstance(name, cst.Name) and name.value == "TYPE_CHECKING"


def _is_head(statement: cst.CSTNode, before: Sequence[cst.CSTNode]) -> bool:
    """Return whether a statement belongs to the imports at the beginning of a file."""
    return _is_import(statement) and all(_is_import(each) or _is_text(each) for each in before)


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(each, cst.Import | cst.ImportFrom) for each in statement.body
    )


def _is_text(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(each, cst.Expr) and isinstance(each.value, cst.SimpleString | cst.ConcatenatedString)
        for each in statement.body
    )


def _apart(body: Sequence[cst.CSTNode]) -> list[Any]:
    """Return statements with an empty line before the first."""
    first, *rest = body
    lines: Sequence[cst.EmptyLine] = getattr(first, "leading_lines", ())
    if lines and lines[0].comment is None:
        return list(body)
    return [first.with_changes(leading_lines=[cst.EmptyLine(indent=False), *lines]), *rest]
