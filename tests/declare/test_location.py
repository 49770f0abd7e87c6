"""The location of a class is the line of its first decorator, however it is found."""

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Final

import pytest

from looprig.location import Location, location_of

FORMS: Final = {
    "alone": "class It: ...",
    "decorated": "import functools\n\n\n@functools.total_ordering\n@str.__class__.mro and (lambda cls: cls)\n"
    "class It:\n    def __lt__(self, other): ...",
    "in several lines": "def mark(**_):\n    return lambda cls: cls\n\n\n@mark(\n    scope=1,\n)\nclass It: ...",
    "with a blank line": "def mark(cls):\n    return cls\n\n\n@mark\n\nclass It: ...",
    "below a statement": "number = 1\nclass It: ...",
    "twice": "class Other:\n    class It: ...\n\n\nclass It: ...",
    "in a text": 'TEXT = """\nclass It: as it says\n"""\n\n\nclass It: ...',
    "a longer name": "class Item: ...\n\n\nclass It: ...",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_class_has_the_line_that_inspect_finds(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "it.py"
    path.write_text(f'"""A module."""\n\n{FORMS[form]}\n')
    spec = importlib.util.spec_from_file_location("it_with_classes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "it_with_classes", module)
    spec.loader.exec_module(module)
    assert location_of(module.It) == Location(str(path), inspect.getsourcelines(module.It)[1])
