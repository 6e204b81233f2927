"""all-MiniLM-L6-v2 as an int8 ONNX file: sentence vectors and word pieces for English."""

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memchat.llm.builtin_fingerprint import ENGLISH_DIMENSION
from memchat.llm.onnx import OnnxModel
from memchat.text.normalize import fix_surrogates

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

FOLDER = Path(__file__).parent / "builtin"
MODEL_FILE = FOLDER / "model_int8.onnx"
TOKENIZER_FILE = FOLDER / "tokenizer.json"
MODEL_SHA256 = "1f491e22521bca9d66e05a6ebc7be96f7819a1098c7a9bc397d40861b44ee4bd"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

DIMENSION = ENGLISH_DIMENSION
UNKNOWN = 100
"""The id of the piece that stands for every word the vocabulary cannot spell."""

_MAX_PIECES = 256


class MiniLM:
    """Sentence vectors. Only the first 256 word pieces of a text count."""

    def __init__(self) -> None:
        self._model = OnnxModel(MODEL_FILE)

    def vector(self, text: str) -> "Vectors":
        """Return the unit vector of `text`, shape `(1, 384)`.

        Texts are not embedded in batches: an int8 model rounds by the largest number in a batch, so a text's vector
        would depend on the others. One at a time takes no longer.
        """
        import numpy as np

        pieces = tokenizer().encode(fix_surrogates(text)).ids
        if len(pieces) > _MAX_PIECES:
            pieces = [*pieces[: _MAX_PIECES - 1], pieces[-1]]
        ids = np.array([pieces], dtype=np.int64)
        vectors = self._model.run(input_ids=ids, attention_mask=np.ones_like(ids))
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


@functools.cache
def tokenizer() -> Any:
    """Return the model's tokenizer, without truncation or padding. Several threads may use it."""
    # Its own thread pool gains nothing on short batches and prints a warning when the process forks.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(TOKENIZER_FILE))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded
