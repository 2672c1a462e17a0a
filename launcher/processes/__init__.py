"""Processes of one machine: the ranks of a stage, msrun, their logs, who hangs, and how they ended."""
