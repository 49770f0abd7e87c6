"""Checks of the collected tests, fixtures and services. Each yields errors, with the tests that they concern.

`all_checks` lists the checks, and `report` reports what they find.
"""
