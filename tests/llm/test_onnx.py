"""The models inside the package, run on threads that do not outlive the process."""

import subprocess
import sys

import pytest

AT_WORK = """
import threading
import numpy as np
from memchat.llm.minilm import MODEL_FILE
from memchat.llm.onnx import OnnxModel

model, ones, ran = OnnxModel(MODEL_FILE), np.ones((1, 256), dtype=np.int64), threading.Event()

def work():
    {before}
    while True:
        model.run(input_ids=ones, attention_mask=ones)
        ran.set()

threading.Thread(target=work, daemon=True).start()
ran.wait()
"""


@pytest.mark.parametrize("before", ["ran.set()", "pass"], ids=["while it loads", "while it runs"])
def test_a_process_can_end_while_a_model_is_at_work(before: str) -> None:
    """ONNX Runtime would abort it, if its thread were stopped in the middle of a call."""
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", AT_WORK.format(before=before)], capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")
