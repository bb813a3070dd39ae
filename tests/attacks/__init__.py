"""Attacks on a running Parley: `python -m tests.attacks` tries every weapon and prints what held.

A weapon is a function with `@weapon(...)` that tries something on the field and asserts that it did not get through.
"""
