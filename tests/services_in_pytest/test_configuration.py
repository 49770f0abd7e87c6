"""Configuration by parametrization: a parametrized name reaches the field of that name of a service."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
    from dataclasses import dataclass

    import pytest
    from aiohttp import web
    from looprig import AiohttpService, Proxy, TestClient, service_fixture

    class Life:
        async def start(self): ...
        async def stop(self): ...

    @service_fixture
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        page_size: int = 20

        async def create_app(self):
            async def size(request): return web.json_response(self.page_size)
            app = web.Application()
            app.router.add_get("/", size)
            return app

    @service_fixture
    @dataclass(kw_only=True)
    class Shop(Life):
        rest: Rest
"""


def test_it_is_reached_by_every_way_to_a_service(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    pages = pytest.mark.parametrize("page_size", [8, 9])

    @pages
    async def test_service(rest: Rest, page_size): assert rest.page_size == page_size

    @pages
    async def test_client(page_size, api: TestClient[Rest]): assert await api.get("/", into=int) == page_size

    @pages
    async def test_proxied(api: TestClient[Proxy[Rest]], page_size):
        assert api.service.service.page_size == page_size

    @pages
    async def test_of_another_service(shop: Shop, page_size): assert shop.rest.page_size == page_size

    @pytest.fixture
    async def size(api: TestClient[Rest]): return await api.get("/", into=int)

    @pages
    async def test_behind_a_fixture(size, page_size): assert size == page_size

    @pages
    @pytest.mark.usefixtures("rest")
    def test_sync(page_size, request): assert request.getfixturevalue("rest").page_size == page_size

    async def test_default(rest: Rest): assert rest.page_size == 20
    """
    )
    run(pytester, suite).assert_outcomes(passed=13)


def test_however_it_is_parametrized(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    from collections import Counter
    seen = Counter()

    @pytest.mark.parametrize("page_size", [8, pytest.param(9, id="nine")])
    async def test_without_the_parameter(api: TestClient[Rest]):
        seen[api.service.page_size] += 1

    @pytest.mark.parametrize(argnames=("page_size", "other"), argvalues=[(8, 0), (9, 1)])
    class TestClass:
        async def test_it(self, rest: Rest, other): assert rest.page_size == 8 + other

    @pytest.mark.parametrize("other", [0, 1])
    @pytest.mark.parametrize("page_size", [8, 9])
    async def test_twice(rest: Rest, page_size, other): assert rest.page_size == page_size

    def pytest_generate_tests(metafunc):
        if metafunc.function is test_generated:
            metafunc.parametrize("page_size", [8, 9])

    async def test_generated(rest: Rest, page_size): assert rest.page_size == page_size

    def test_all(): assert seen == {8: 1, 9: 1}
    """
    )
    result = run(pytester, suite, "-v")
    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines(
        ["*::test_without_the_parameter?8?*", "*?nine?*", "*::test_it?8-0?*", "*::test_twice?8-0?*", "*?8-1?*"]
    )


def test_a_module_is_parametrized(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    pytestmark = pytest.mark.parametrize("page_size", [8, 9])

    async def test_it(rest: Rest): assert rest.page_size in (8, 9)
    """
    )
    run(pytester, suite).assert_outcomes(passed=2)


def test_a_fixture_goes_before_it(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    @pytest.fixture
    def page_size(request): return getattr(request, "param", 7) * 10

    async def test_fixture(rest: Rest): assert rest.page_size == 70

    @pytest.mark.parametrize("page_size", [8, 9], indirect=True)
    async def test_indirect(rest: Rest, page_size): assert rest.page_size == page_size in (80, 90)

    @pytest.mark.parametrize("page_size", [8])
    async def test_direct(rest: Rest, page_size): assert rest.page_size == page_size == 8
    """
    )
    run(pytester, suite).assert_outcomes(passed=4)


def test_other_tests_are_left_alone(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    @pytest.mark.parametrize("page_size", [8, 9])
    def test_uses_no_service(page_size): ...

    @pytest.mark.parametrize("page_size", [8], indirect=True)
    async def test_no_fixture_to_parametrize(rest: Rest, page_size): ...
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'page_size' not found"])


def test_a_field_of_a_base_class_is_reached(pytester: pytest.Pytester) -> None:
    """But a fixture of its name does not provide it, since that would change every server of the suite."""
    suite = (
        HEAD
        + """
    @pytest.fixture
    def shutdown_timeout(): return 3.0

    async def test_fixture(rest: Rest, shutdown_timeout): assert rest.shutdown_timeout != shutdown_timeout

    @pytest.mark.parametrize("shutdown_timeout", [0.1, 0.2])
    async def test_value(api: TestClient[Rest], shutdown_timeout):
        assert api.service.shutdown_timeout == shutdown_timeout

    @pytest.mark.parametrize("host", ["localhost"])
    async def test_without_the_parameter(rest: Rest): assert rest.host == "localhost"

    @pytest.mark.parametrize("window", [2048])
    async def test_proxy(proxy: Proxy[Rest], window): assert proxy.window == window

    @pytest.mark.parametrize("shutdown_timeout", ["long"])
    async def test_wrong_value(rest: Rest, shutdown_timeout): ...

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Wide(Rest): ...

    @pytest.mark.parametrize("host", ["localhost"])
    async def test_wide(wide: Wide, host): ...
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=5, errors=2)
    shown = output(result)
    assert "Rest was given shutdown_timeout='long'" in shown
    assert 'test_wide is parametrized over host (scope "function"), but that is a field of Wide' in shown


def test_a_name_that_nothing_has_is_an_error_as_ever(pytester: pytest.Pytester) -> None:
    suite = HEAD + '\n    @pytest.mark.parametrize("size", [8])\n    async def test_it(rest: Rest): ...'
    result = run(pytester, suite)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_it: function uses no argument 'size'"])


WIDE = (
    HEAD
    + """
    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Wide(Life):
        size: int = 3
"""
)


def test_a_wide_service_has_an_instance_for_each_wide_value(pytester: pytest.Pytester) -> None:
    suite = (
        WIDE
        + """
    starts, rows_of = [], []

    async def start(self): starts.append(self.size)
    Wide.start = start

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Around(Life):
        wide: Wide

    @pytest.fixture(scope="module")
    async def rows(around: Around):
        rows_of.append(around.wide.size)
        yield around.wide.size

    async def test_before(wide: Wide, rows): assert wide.size == rows == 3

    @pytest.mark.parametrize("size", [1, 5], scope="module")
    async def test_size(wide: Wide, rows, size): assert wide.size == rows == size

    @pytest.mark.parametrize("size", [1, 5], scope="module")
    class TestMore:
        async def test_more(self, wide: Wide, around: Around): assert wide is around.wide and wide.size in (1, 5)

    async def test_after(wide: Wide, rows): assert wide.size == rows == 3

    def test_each_was_started_once():
        assert sorted(starts) == [1, 3, 5]
        assert sorted(rows_of) == [1, 3, 5]
    """
    )
    run(pytester, suite).assert_outcomes(passed=7)


def test_services_that_start_together_get_the_value_of_their_test(pytester: pytest.Pytester) -> None:
    suite = (
        WIDE
        + """
    @service_fixture(scope="module")
    class Another(Life): ...

    @pytest.mark.parametrize("size", [1], scope="module")
    def test_before(size): ...

    @pytest.mark.parametrize("size", [5], scope="module")
    async def test_it(another: Another, wide: Wide, size): assert wide.size == size == 5
    """
    )
    run(pytester, suite).assert_outcomes(passed=2)


def test_a_value_cannot_reach_a_wider_service(pytester: pytest.Pytester) -> None:
    suite = (
        WIDE
        + """
    @pytest.mark.parametrize("size", [1, 5])
    async def test_size(wide: Wide, size): ...

    async def test_default(wide: Wide): assert wide.size == 3
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines([
        'test_size is parametrized over size (scope "function"), but that is a field of Wide (scope "module"), '
        "which other tests share, so the field's value can't change between them.",
        "  test_it.py:*: test_size",
        "  test_it.py:*: Wide",
        'Narrow Wide to scope="function", or parametrize with scope="module", or give the parameter a name that '
        "isn't a field of Wide.",
    ])  # fmt: skip


def test_nothing_about_the_parametrization_changes(pytester: pytest.Pytester) -> None:
    """The same tests in the same order, with the same ids, whether or not the service has such a field."""
    suite = (
        WIDE
        + """
    @pytest.mark.parametrize("size", [1, 5], scope="module")
    @pytest.mark.parametrize("other", ["a", "b"])
    async def test_one(wide: Wide, size, other): ...

    @pytest.mark.parametrize("size", [5, 1], scope="module")
    async def test_two(wide: Wide, size): ...
    """
    )
    with_field = run(pytester, suite, "--collect-only", "-q").outlines
    without = run(pytester, suite.replace("size: int = 3", "length: int = 3"), "--collect-only", "-q").outlines
    tests = [line for line in with_field if "::" in line]
    assert len(tests) == 6, output(run(pytester, suite))
    assert tests == [line for line in without if "::" in line]


def test_what_is_asked_for_at_run_time_is_configured_too(pytester: pytest.Pytester) -> None:
    suite = (
        WIDE
        + """
    from looprig import ask, loop_config

    loop_config(scope="module")

    @pytest.mark.parametrize("page_size", [8, 9])
    async def test_client(page_size):
        api = await ask(TestClient[Rest])
        assert await api.get("/", into=int) == page_size
        assert (await ask(Shop)).rest is await ask(Rest)

    async def test_default(): assert (await ask(Rest)).page_size == 20

    @pytest.mark.parametrize("size", [1])
    async def test_too_wide(size): await ask(Wide)
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*DeclarationError: test_too_wide is parametrized over size*"])
