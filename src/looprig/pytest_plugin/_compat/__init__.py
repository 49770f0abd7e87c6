"""All that looprig touches and pytest keeps private, checked with pytest 9.2.

Nothing else in looprig imports `_pytest` or reads an underscored attribute of a pytest object, and no type that pytest
keeps private leaves this package. Import from its modules, as this file loads none of them: a run with nothing async
loads `definitions` alone. `tests/house` holds the code against this list:

| private | in | why there is no public way |
| --- | --- | --- |
| `NOTSET` | parameters | stands for a value where a parametrization has none |
| `get_direct_param_fixture_func` | parameters | the function of a definition that stands for a parametrized value |
| `call_fixture_func` | calls | sets a generator up and registers its teardown, with pytest's errors |
| `resolve_fixture_function` | calls | binds a fixture that is a method to the test's instance |
| `_pdb` | calls | the debugger that `--trace` put around a test, which would drop its coroutine |
| `_fixturemanager` | definitions | knows which fixtures there are, before any is requested |
| `_get_all_fixture_defs` | definitions | lists them; public is only what `--fixtures` prints |
| `_arg2node2fixturedefs` | definitions | has their order on one node: looprig's stand behind all others |
| `_fixtureinfo` | closures, definitions | the definitions that an item uses; `fixturenames` are just names |
| `_autouse` | closures | whether a fixture is around those that a test names |
| `_arg2scope` | scopes | the scope that a parametrization gives a fixture |
| `_request` | requests, definitions | the request of an item, which may ask for every scope |
| `_pyfuncitem` | requests | the item of a request; `node` is that of the fixture's scope |
| `_parent_request` | requests | who asked for a fixture, since `loop` answers each asker anew |
| `_fixturedef` | requests | as above |
| `_fixture_defs` | requests | what an item has set up or found set up so far |
| `_get_active_fixturedef` | requests | is called for each request, where no hook is if the fixture is alive |
| `_file` | terminal | where the terminal writer writes to |

Without an underscore, but undocumented: `callspec` of items; `cached_result`, `cache_key`, `execute`, `finish` and
`node` of definitions; `getfixturedefs` of the fixture manager.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat.calls import (
        bound_function as bound_function,
    )
    from looprig.pytest_plugin._compat.calls import (
        call_fixture as call_fixture,
    )
    from looprig.pytest_plugin._compat.calls import (
        tracing_debugger as tracing_debugger,
    )
    from looprig.pytest_plugin._compat.closures import (
        Closure as Closure,
    )
    from looprig.pytest_plugin._compat.closures import (
        argument_names as argument_names,
    )
    from looprig.pytest_plugin._compat.closures import (
        closure_key as closure_key,
    )
    from looprig.pytest_plugin._compat.closures import (
        closure_of as closure_of,
    )
    from looprig.pytest_plugin._compat.closures import (
        complete as complete,
    )
    from looprig.pytest_plugin._compat.closures import (
        definitions_in_item as definitions_in_item,
    )
    from looprig.pytest_plugin._compat.closures import (
        drop_autouse as drop_autouse,
    )
    from looprig.pytest_plugin._compat.closures import (
        function_ahead as function_ahead,
    )
    from looprig.pytest_plugin._compat.closures import (
        insert_fixture_name as insert_fixture_name,
    )
    from looprig.pytest_plugin._compat.closures import (
        plain_function as plain_function,
    )
    from looprig.pytest_plugin._compat.definitions import (
        Definition as Definition,
    )
    from looprig.pytest_plugin._compat.definitions import (
        all_definitions as all_definitions,
    )
    from looprig.pytest_plugin._compat.definitions import (
        fixture_functions as fixture_functions,
    )
    from looprig.pytest_plugin._compat.definitions import (
        fixture_names as fixture_names,
    )
    from looprig.pytest_plugin._compat.definitions import (
        give_way as give_way,
    )
    from looprig.pytest_plugin._compat.definitions import (
        has_fixtures as has_fixtures,
    )
    from looprig.pytest_plugin._compat.definitions import (
        is_installed as is_installed,
    )
    from looprig.pytest_plugin._compat.definitions import (
        is_unittest as is_unittest,
    )
    from looprig.pytest_plugin._compat.definitions import (
        visible_definitions as visible_definitions,
    )
    from looprig.pytest_plugin._compat.definitions import (
        visible_names as visible_names,
    )
    from looprig.pytest_plugin._compat.instances import (
        cached_value as cached_value,
    )
    from looprig.pytest_plugin._compat.instances import (
        call_before_set_up as call_before_set_up,
    )
    from looprig.pytest_plugin._compat.instances import (
        forget as forget,
    )
    from looprig.pytest_plugin._compat.instances import (
        guard as guard,
    )
    from looprig.pytest_plugin._compat.instances import (
        is_cached as is_cached,
    )
    from looprig.pytest_plugin._compat.instances import (
        make_dynamic as make_dynamic,
    )
    from looprig.pytest_plugin._compat.instances import (
        poison as poison,
    )
    from looprig.pytest_plugin._compat.parameters import (
        gives_parameter as gives_parameter,
    )
    from looprig.pytest_plugin._compat.parameters import (
        is_no_value as is_no_value,
    )
    from looprig.pytest_plugin._compat.parameters import (
        is_parametrized as is_parametrized,
    )
    from looprig.pytest_plugin._compat.parameters import (
        parameter_index as parameter_index,
    )
    from looprig.pytest_plugin._compat.parameters import (
        parameter_values as parameter_values,
    )
    from looprig.pytest_plugin._compat.parameters import (
        parametrized_indices as parametrized_indices,
    )
    from looprig.pytest_plugin._compat.parameters import (
        plain_parameter as plain_parameter,
    )
    from looprig.pytest_plugin._compat.requests import (
        active_definition as active_definition,
    )
    from looprig.pytest_plugin._compat.requests import (
        item_of as item_of,
    )
    from looprig.pytest_plugin._compat.requests import (
        item_request as item_request,
    )
    from looprig.pytest_plugin._compat.requests import (
        noting_requests as noting_requests,
    )
    from looprig.pytest_plugin._compat.requests import (
        requesting_definition as requesting_definition,
    )
    from looprig.pytest_plugin._compat.requests import (
        requesting_node as requesting_node,
    )
    from looprig.pytest_plugin._compat.requests import (
        resolved_definitions as resolved_definitions,
    )
    from looprig.pytest_plugin._compat.scopes import (
        parametrized_scope as parametrized_scope,
    )
    from looprig.pytest_plugin._compat.scopes import (
        place_of_item as place_of_item,
    )
    from looprig.pytest_plugin._compat.scopes import (
        scope_of as scope_of,
    )
    from looprig.pytest_plugin._compat.scopes import (
        scope_place as scope_place,
    )
    from looprig.pytest_plugin._compat.terminal import (
        print_document as print_document,
    )
    from looprig.pytest_plugin._compat.terminal import (
        write_lines as write_lines,
    )
    from looprig.pytest_plugin._compat.terminal import (
        write_to_standard_error as write_to_standard_error,
    )


_MODULES = ("calls", "closures", "definitions", "instances", "parameters", "requests", "scopes", "terminal")


def __getattr__(name: str) -> Any:
    if not name.startswith("__"):
        for each in _MODULES:
            module = importlib.import_module(f"{__name__}.{each}")
            if name in module.__all__:
                found = globals()[name] = getattr(module, name)
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
