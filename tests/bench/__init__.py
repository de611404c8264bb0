"""Measured figures beside the bars they have to meet; see ``python -m tests.bench --list``."""
