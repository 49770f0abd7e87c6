"""NewTypes in annotations, found at run time or in the text of the file that binds the name."""

import ast
from pathlib import Path
from typing import Any, NewType

import pytest

from looprig.check.newtypes import NewTypes
from looprig.check.source import Source

UserId = NewType("UserId", int)
Users = dict[str, list[UserId]]
Plain = list[int]

TEXT = f"""
from typing import NewType, TYPE_CHECKING
from {__name__} import UserId, Users, Plain
from elsewhere import Far, FarAlias, FarPlain, Loop
if TYPE_CHECKING:
    from elsewhere import Far as Id
Local = NewType("Local", str)
Alias = list["Local"]
class Holder:
    Inner = int
"""
ELSEWHERE = """
from typing import NewType, TypeAlias
Far = NewType("Far", int)
FarAlias: TypeAlias = "dict[str, Far]"
FarPlain = list[int]
Loop = list["Loop"]
"""


@pytest.mark.parametrize(
    ("annotation", "holds"),
    [
        ("UserId", True),
        ("UserId | None", True),
        ("dict[str, list[UserId]]", True),
        ("Users", True),
        ("Plain", False),
        ("int", False),
        ("Local", True),
        ("'list[Local]'", True),
        ("Alias", True),
        ("Id", True),
        ("Far", True),
        ("FarAlias", True),
        ("FarPlain", False),
        ("Loop", False),
        ("Missing", False),
        ("'not a type'", False),
    ],
)
def test_a_new_type_is_known_through_aliases_and_imports(tmp_path: Path, annotation: str, holds: bool) -> None:
    path = tmp_path / "elsewhere.py"
    path.write_text(ELSEWHERE, "utf-8")
    source = Source("/p/a.py", "a_module_that_is_not_imported", TEXT, {})
    found = NewTypes(lambda module: str(path) if module == "elsewhere" else None)
    assert found.are_in(ast.parse(annotation, mode="eval").body, source) is holds


def test_an_annotation_that_is_about_itself_is_not_looked_through_for_ever() -> None:
    class Recursive: ...

    annotation: Any = Recursive()
    annotation.__args__ = (annotation,)
    source = Source("/p/a.py", "a_module_that_is_not_imported", "annotation = 1", {"annotation": annotation})
    assert not NewTypes(lambda _: None).are_in(ast.parse("annotation", mode="eval").body, source)
