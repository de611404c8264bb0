"""Labs for tests, where this machine allows them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.link.lab import Lab, lab_unavailable

MakeLab = Callable[..., Lab]


@pytest.fixture
def make_lab() -> Iterator[MakeLab]:
    """``make_lab(link, seed=1, ...)`` opens a lab that is gone after the test; skips where none can be built."""
    if reason := lab_unavailable():
        pytest.skip(f"no link lab: {reason}")
    with contextlib.ExitStack() as labs:
        yield lambda link, seed=1, **options: labs.enter_context(Lab(link, seed, **options))
