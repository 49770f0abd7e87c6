"""A rig takes an instance as a model: another one with the same values and dependencies, except what is given."""

import asyncio
from dataclasses import InitVar, dataclass, field
from typing import Annotated, Any

import pytest

from looprig import DeclarationError, Fixture, Rig, rig, service_fixture

told: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    told.clear()


class Life:
    """A service that records its start and stop."""

    async def start(self) -> None:
        told.append(f"+{type(self).__name__}")

    async def stop(self) -> None:
        told.append(f"-{type(self).__name__}")


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Db(Life):
    """A dependency with a setting."""

    dsn: str = "sqlite://"


@service_fixture
@dataclass(kw_only=True)
class Api(Life):
    """A service with all kinds of fields."""

    db: Db
    token: Annotated[str, Fixture("secret")]
    page_size: int = 20
    seen: list[int] = field(default_factory=list[int], init=False)


@service_fixture
@dataclass(kw_only=True, frozen=True)
class Frozen(Life):
    """A service that is created from a value that it doesn't keep."""

    raw: InitVar[str]
    length: int = 0


def test_it_keeps_dependencies_and_configuration_and_begins_with_new_state() -> None:
    async def scenario() -> None:
        async with rig(Api, secret="s", page_size=5) as model:
            model.seen.append(1)
            async with rig(model, page_size=1) as other:
                assert type(other) is Api
                assert other is not model
                assert other.db is model.db
                assert (other.token, other.page_size, other.seen) == ("s", 1, [])
            assert told == ["+Db", "+Api", "+Api", "-Api"]
            async with rig(model, secret="t") as by_fixture, rig(model, token="u") as by_field:
                assert (by_fixture.token, by_field.token, by_field.page_size) == ("t", "u", 5)
            async with rig(model, db=Db(dsn="other")) as elsewhere:
                assert elsewhere.db.dsn == "other"
        assert told[-2:] == ["-Api", "-Db"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"page": 1}, "The rig was given page, which isn't a field of Api. The dependencies of an instance stay as"),
        ({"page_sise": 1}, "Did you mean page_size?"),
        ({"dsn": "x"}, "The rig was given dsn, which isn't a field of Api."),
        ({"seen": []}, "The rig was given seen, which isn't a field of Api."),
    ],
)
def test_a_wrong_name_is_reported_before_anything_starts(values: dict[str, Any], message: str) -> None:
    async def scenario() -> None:
        async with rig(Api(db=Db(), token=""), **values):
            raise AssertionError("started")

    with pytest.raises(DeclarationError) as caught:
        asyncio.run(scenario())
    assert message in str(caught.value)
    assert told == []


def test_a_value_that_the_model_did_not_keep_has_to_be_given() -> None:
    async def scenario() -> None:
        model = Frozen(raw="abc")
        async with rig(model, raw="abcd") as other:
            assert other.length == 0
        with pytest.raises(DeclarationError, match=r"The rig was given no value for Frozen\.raw"):
            await rig(model).__aenter__()

    asyncio.run(scenario())


def test_what_is_no_service_and_what_takes_no_instance() -> None:
    async def scenario() -> None:
        with pytest.raises(DeclarationError, match="3 isn't a service class"):
            await rig(3).__aenter__()  # type: ignore[call-overload]
        async with Rig() as running:
            with pytest.raises(DeclarationError, match="Only `rig` takes an instance, as a model"):
                await running.start(Db())  # type: ignore[arg-type]

    asyncio.run(scenario())
