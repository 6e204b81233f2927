"""Opening the ONNX models inside the package."""

import atexit
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class _Calls:
    """Counts the calls of ONNX Runtime under way, in which the process must not end.

    Python stops daemon threads at its end. One that is stopped within ONNX Runtime aborts the process.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way = 0
        self._ending = False

    @contextmanager
    def under_way(self) -> Generator[None]:
        """Count a call within the block."""
        with self._changed:
            # Once the process ends, its daemon threads stay here until they are stopped.
            self._changed.wait_for(lambda: not (self._ending and threading.current_thread().daemon))
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def finish(self) -> None:
        """Begin no further call on a daemon thread, and wait until those under way have ended."""
        with self._changed:
            self._ending = True
            self._changed.wait_for(lambda: self._under_way == 0)


_calls = _Calls()
atexit.register(_calls.finish)


class OnnxModel:
    """A model file, loaded when it is first run; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._session: Any = None

    def run(self, **inputs: Any) -> Any:
        """Return the output `emb` for `inputs`, which have the model's names."""
        with _calls.under_way():
            with self._lock:
                if self._session is None:
                    # Without this onnxruntime writes a device id and looks up a host when it is imported.
                    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
                    import onnxruntime

                    options = onnxruntime.SessionOptions()
                    options.intra_op_num_threads = options.inter_op_num_threads = 1
                    # The arena keeps what the longest text needed for as long as the process lives.
                    options.enable_cpu_mem_arena = False
                    options.enable_mem_pattern = False
                    options.log_severity_level = 3
                    # x86 processors without VNNI instructions saturate sums of 8-bit products unless told otherwise,
                    # so that vectors differ between machines: cosines of .995 with those of the same texts.
                    options.add_session_config_entry("session.x64quantprecision", "1")
                    providers = ["CPUExecutionProvider"]
                    self._session = onnxruntime.InferenceSession(str(self._path), options, providers=providers)
            (output,) = self._session.run(["emb"], inputs)
            return output
