"""What every guidance must do: how the tests of the contract are run, also for a method from outside.

Tests are marked `contract`; those that take `method`, `task` or `model` run for every one that test_contract.py
lists, or for the method of `--guidance` alone.
"""
