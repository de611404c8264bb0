"""Probes: from samples and frames to numbers with units.

Pure functions and small value types. No opinions, no words, no network, no clock of their own.
This package imports nothing else of the project.
"""
