"""The embedder inside the package: all-MiniLM-L6-v2 as an int8 ONNX file. No download, no account, no network."""

import functools
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memchat.text.embedding import load_numpy
from memchat.text.normalize import fix_surrogates

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

FOLDER = Path(__file__).parent / "builtin"
MODEL_FILE = FOLDER / "model_int8.onnx"
TOKENIZER_FILE = FOLDER / "tokenizer.json"
MODEL_SHA256 = "1f491e22521bca9d66e05a6ebc7be96f7819a1098c7a9bc397d40861b44ee4bd"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

DIMENSION = 384
FINGERPRINT = f"builtin/all-MiniLM-L6-v2-int8:{DIMENSION}"

_MAX_PIECES = 256
_THREADS = 2
"""Texts at a time."""


class BuiltinEmbedder:
    """Implements `core.protocols.Embedder`. Loads on first use, in 0.15 s; safe to share between threads.

    Of a text longer than 256 word pieces only the beginning counts. Texts without any word piece share one vector.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: Any = None

    @property
    def fingerprint(self) -> str:
        return FINGERPRINT

    @property
    def dimension(self) -> int:
        return DIMENSION

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Unit vectors, shape `(n, 384)`, in the order given."""
        load_numpy()
        import numpy as np

        if not texts:
            return np.zeros((0, DIMENSION), dtype=np.float32)
        pieces = [_cut(encoding.ids) for encoding in tokenizer().encode_batch([fix_surrogates(text) for text in texts])]
        if len(pieces) == 1:
            return self._vector(pieces[0])
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_THREADS) as pool:
            return np.concatenate(list(pool.map(self._vector, pieces)))

    def _vector(self, pieces: list[int]) -> "Vectors":
        """The unit vector of one text, shape `(1, 384)`.

        Texts are not run together: an int8 model rounds by the largest numbers in a batch, so that a text's vector
        would depend on its neighbours, and to run them alone takes no longer.
        """
        import numpy as np

        ids = np.array([pieces], dtype=np.int64)
        (vectors,) = self._loaded().run(["emb"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def _loaded(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _open_session()
            return self._session


@functools.cache
def tokenizer() -> Any:
    """The model's tokenizer, without truncation or padding. Reading from it is safe in several threads."""
    # Its own thread pool gains nothing on short batches and prints a warning when the process forks.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(TOKENIZER_FILE))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def _open_session() -> Any:
    # Without this onnxruntime writes a device id and looks up a host when it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The arena keeps what the longest text needed for as long as the process lives.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(MODEL_FILE), options, providers=["CPUExecutionProvider"])


def _cut(ids: list[int]) -> list[int]:
    """At most 256 pieces, the closing one kept."""
    return ids if len(ids) <= _MAX_PIECES else [*ids[: _MAX_PIECES - 1], ids[-1]]
