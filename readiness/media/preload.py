"""What every worker needs, imported once by the fork server before it forks; never by the web process.

No model session and no thread is started here: threads do not survive a fork.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import signal

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy loads: a pool of threads would not survive the fork
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

with contextlib.suppress(ValueError):
    # A service manager may signal the whole group; workers are ended by their web process, which drains first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

for _name in ("aiortc", "aioice"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # below it they print ICE passwords

for _name in (
    "readiness.media.chore_worker",
    "readiness.media.worker",
    "readiness.meetings.paper",
    "readiness.meetings.wire",
    "probes.camera",
    "probes.picture",
    "probes.echo",
    "probes.faces",
    "probes.microphone",
    "probes.network",
    "probes.speech",
):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)
for _name in ("numpy", "cv2", "onnxruntime"):  # probes import these lazily; here once for all workers
    with contextlib.suppress(ImportError):
        _module = importlib.import_module(_name)
        getattr(_module, "setNumThreads", int)(1)  # cv2 only: its threads would not survive the fork

gc.collect()
gc.freeze()  # what is loaded now stays shared between the workers
