"""The run: loops are opened, fixtures set up, and tests run.

`standby` waits until something needs a loop, and `activation` then makes all the rest. The hooks are in `tests` and
`fixtures`. `hosts` has the open loops, `admission` and `requests` deal with requests at run time, `contexts` has what
fixtures hand down, and `limits` and `ends` bound a test in time.
"""
