"""Readiness: the service, its command line and its media engine."""

__version__ = "0.1.0"
