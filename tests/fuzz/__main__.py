"""``python -m tests.fuzz [--count N] [--seed S] [--dry] [TARGET...]``.

One JSON line for each target; status 1 for a finding, whose input is kept in ``tests/data/fuzz``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys

from tests.fuzz.engine import SEED, run
from tests.fuzz.targets import TARGETS

COUNT = 200_000
"""RTC-2, every night."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.fuzz")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], default=[])
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--dry", action="store_true", help="keep no crashing input")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    bad = False
    for name in options.targets or TARGETS:
        outcome = asyncio.run(run(name, TARGETS[name], options.count, options.seed, saving=not options.dry))
        print(json.dumps(outcome.to_json()), flush=True)
        bad = bad or bool(outcome.found or outcome.grown)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
