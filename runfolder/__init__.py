"""The one contract that `launcher` and `sphereface` share: the run folder.

The two packages never import each other; argv, environment and files join them. This package says what those
files and variables are called (`layout`), how they are written so that a kill at any moment loses nothing
(`atomic`), and how YAML that people wrote by hand is read without surprises (`strict_yaml`). Standard library and
PyYAML only; it imports neither of the two.
"""
