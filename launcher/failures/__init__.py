"""Failures that are known by what they print: the table of them as data, and finding them in logs."""
