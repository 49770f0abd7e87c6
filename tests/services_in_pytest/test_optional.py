"""Services that may be `None`, by their type, and unions of services."""

import pytest

from tests.plugin.suite import run

HEAD = """
    from dataclasses import dataclass
    from typing import Annotated, Generic, Optional, TypeVar

    import pytest
    from looprig import Fixture, Proxy, TcpService, TestClient, Through, rig, service_fixture

    class Life:
        async def start(self): ...
        async def stop(self): ...

    @service_fixture
    class A(Life): ...

    @service_fixture
    class B(Life): ...
"""


def test_an_optional_service_is_the_service(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    T = TypeVar("T")

    class Base(Life, Generic[T]):
        of_base: T | None = None

    @service_fixture
    @dataclass(kw_only=True)
    class User(Base[A]):
        plain: A
        bar: A | None = None
        optional: Optional["A"] = None
        text: "A | None" = None
        annotated: Annotated[A | None, "some text"] = None
        number: int | None = None

    async def test_fields(user: User):
        fields = (user.bar, user.optional, user.text, user.annotated)
        assert all(value is user.plain for value in fields) and user.number is None

    async def test_parameters(a: A, one: A | None, other: Optional[A]): assert one is other is a

    async def test_by_hand():
        async with rig(User) as user:
            assert isinstance(user.bar, A)
    """
    )
    run(pytester, suite).assert_outcomes(passed=3)


def test_a_union_of_services_is_refused(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    @service_fixture
    @dataclass(kw_only=True)
    class User(Life):
        store: A | B | None = None

    async def test_it(user: User): ...

    @pytest.fixture
    def chosen(b: B): return b

    @service_fixture
    @dataclass(kw_only=True)
    class Chooses(Life):
        store: Annotated[A | B, Fixture("chosen")]
        name: A | str = "a text"

    async def test_a_fixture_chooses(chooses: Chooses, b: B):
        assert chooses.store is b and chooses.name == "a text"
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["User.store may be any of several services: A or B.", "*test_it.py:*: User.store", "*: A", "*: B"]
    )


def test_a_generic_service_is_one_instance(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    T = TypeVar("T")

    @service_fixture
    class Repo(Life, Generic[T]): ...

    @service_fixture
    class Numbers(Repo[int]): ...

    @service_fixture
    @dataclass(kw_only=True)
    class Mixes(Life):
        ints: Repo[int]
        texts: Repo[str]

    async def test_one(one: Repo[int], same: Repo[int]): assert one is same
    async def test_subclass(numbers: Numbers, texts: Repo[str]): assert numbers is not texts
    async def test_parameters(ints: Repo[int], texts: Repo[str]): ...
    async def test_fields(mixes: Mixes): ...
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines_random([
        "test_parameters takes Repo for several types, as ints and as texts, but both are the same instance.",
        "Mixes takes Repo for several types, as ints and as texts, but both are the same instance.",
    ])  # fmt: skip
