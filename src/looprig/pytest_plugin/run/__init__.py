"""The run: opening loops, setting up fixtures, and running tests.

`standby` waits until something needs a loop, and `activation` then creates everything else. The hooks are in `tests`
and `fixtures`. `hosts` contains the open loops, `admission` and `requests` handle requests at run time, and `contexts`
the context variables that fixtures set. `limits` implements time limits, and `ends` the end of a test.
"""
