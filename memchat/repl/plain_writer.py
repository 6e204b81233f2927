"""Write replies as they are, without loading what renders Markdown."""

from typing import TextIO

from memchat.text.sanitize import StreamFilter


class PlainWriter:
    """Writes the reply unchanged, without control characters, for files, pipes and programs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._filter = StreamFilter()

    def feed(self, piece: str) -> None:
        self._write(self._filter.feed(piece))

    def close(self) -> None:
        self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()
