"""Renders, submits and watches training runs: spec -> plan -> render -> submit -> observe."""

__version__ = "0.1.0"
