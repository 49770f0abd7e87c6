"""What is not rewritten stays to the last byte: encodings, line ends, forms of strings, comments."""

from pathlib import PurePath

import pytest

from looprig.migrate.left import Left
from looprig.migrate.whole import moved, rewrite

PATH = PurePath("/suite/test_it.py")
MARK = b"@pytest.mark.asyncio"


def rewritten(text: bytes) -> bytes:
    return rewrite({PATH: text}).files.get(PATH, text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            b"import pytest\r\nx = pytest\r\n%s\r\nasync def test(): ...\r\n" % MARK,
            b"import pytest\r\nx = pytest\r\nasync def test(): ...\r\n",
            id="line ends of Windows",
        ),
        pytest.param(
            b"import pytest\r\nx = pytest\n%s\r\nasync def test(): ...\n" % MARK,
            b"import pytest\r\nx = pytest\nasync def test(): ...\n",
            id="mixed line ends",
        ),
        pytest.param(
            b"\xef\xbb\xbfimport pytest\nx = pytest\n%s\nasync def test(): '\xc3\xa9'" % MARK,
            b"\xef\xbb\xbfimport pytest\nx = pytest\nasync def test(): '\xc3\xa9'",
            id="a byte order mark, and no end of the last line",
        ),
        pytest.param(
            b"# -*- coding: latin-1 -*-\nimport pytest\nx = pytest, '\xe9'\n%s\nasync def test(): ...\n" % MARK,
            b"# -*- coding: latin-1 -*-\nimport pytest\nx = pytest, '\xe9'\nasync def test(): ...\n",
            id="an encoding of its own",
        ),
        pytest.param(
            b"import pytest\nx  =  pytest ; y=0x0F\n\x0c\nif x :\n\t%s\n\tasync def test( a,b ) : ...  \n# end" % MARK,
            b"import pytest\nx  =  pytest ; y=0x0F\n\x0c\nif x :\n\tasync def test( a,b ) : ...  \n# end",
            id="odd spaces, tabs, a form feed",
        ),
    ],
)
def test_all_else_stays(before: bytes, after: bytes) -> None:
    assert rewritten(before) == after


@pytest.mark.parametrize(
    "text",
    [
        b"import pytest_asyncio\nx=1\ny=2\r",  # which libcst does not keep
        b"import pytest_asyncio\nx = '\xff'\n",
        b"# coding: no-such-thing\nimport pytest_asyncio\n",
    ],
)
def test_a_file_that_can_not_be_kept_is_left(text: bytes) -> None:
    done = rewrite({PATH: text})
    assert done.files == {}
    assert len(done.left[PATH]) == 1


def test_a_file_that_concerns_no_plugin_is_not_even_parsed() -> None:
    assert rewrite({PATH: b"def test(:"}).left == {}


def test_what_is_left_is_shown_where_it_is_before_the_change() -> None:
    before = b"import pytest\n@pytest.mark.asyncio\nasync def test(): ...\n\ndef test(free_udp_port): ...\n"
    done = rewrite({PATH: before})
    (left,) = done.left[PATH]
    assert left.line == 3
    assert [each.line for each in moved([left], before, done.files[PATH])] == [5]
    assert [*moved([Left(9, 1, "")], before, done.files[PATH])] == []


def test_only_some_files_are_rewritten_but_all_are_known() -> None:
    conftest = PurePath("/suite/conftest.py")
    text = b"import pytest\n@pytest.fixture\ndef anyio_backend(): return 'trio'\n"
    test = b"import pytest\n@pytest.mark.anyio\nasync def test(): ...\n"
    assert rewrite({conftest: text, PATH: test}, lambda path: path == PATH).files == {}
    assert rewrite({conftest: text.replace(b"trio", b"asyncio"), PATH: test}, lambda path: path == PATH).files == {
        PATH: b"async def test(): ...\n"
    }
