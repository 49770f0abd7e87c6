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
