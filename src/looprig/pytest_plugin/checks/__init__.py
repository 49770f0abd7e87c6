"""What is wrong with what was collected: each error with the tests that it concerns.

`all_checks` lists the checks, and `report` reports what they find.
"""
