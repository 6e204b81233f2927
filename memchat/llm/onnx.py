"""Opening the ONNX models inside the package."""

import os
import threading
from pathlib import Path
from typing import Any


class OnnxModel:
    """A model file, loaded when it is first run; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._session: Any = None

    def run(self, **inputs: Any) -> Any:
        """Return the output `emb` for `inputs`, which have the model's names."""
        with self._lock:
            if self._session is None:
                self._session = _open_session(self._path)
        (output,) = self._session.run(["emb"], inputs)
        return output


def _open_session(path: Path) -> Any:
    # Without this onnxruntime writes a device id and looks up a host when it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The arena keeps what the longest text needed for as long as the process lives.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
