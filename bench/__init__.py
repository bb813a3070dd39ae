"""Benchmarks: README.md has the command beside each figure."""
