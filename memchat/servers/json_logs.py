"""Logs as one JSON object per line, for log collectors."""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

OURS = "memchat"


class JsonFormatter(logging.Formatter):
    """Formats time, level, logger, message and the fields of a request.

    Messages of libraries are left out, because they may contain what users wrote. memchat's own never do.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.name.partition(".")[0] == OURS:
            line["message"] = record.getMessage()
        return json.dumps(line | getattr(record, "fields", {}))


def log_as_json(stream: TextIO) -> None:
    """Write the warnings of libraries, and memchat's records from INFO, to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(OURS).setLevel(logging.INFO)
