"""Logs as one JSON object a line, for programs that gather them."""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

OURS = "memchat"


class JsonFormatter(logging.Formatter):
    """Time, level, logger and message, and the fields of a request.

    Of a library's record the message is left out: what people wrote may be in it. memchat's own never hold that.
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
    """Write to `stream` what libraries warn of, and of memchat the requests too."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(OURS).setLevel(logging.INFO)
