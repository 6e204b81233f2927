"""The entry point: `memchat` and `python -m memchat`."""

import gc
import io
import logging
import os
import sys
import warnings


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # What recall multiplies is small: to wait for a second thread on a busy machine costs several times what it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _silence_libraries()
    from memchat.cli.main import run

    try:
        code = run(sys.argv[1:])
    finally:
        # Python would end by looking through all that LiteLLM has loaded for cycles, which takes a second.
        gc.freeze()
    sys.exit(code)


def _silence_libraries() -> None:
    """Keep Python's warnings off the screen, and keep `-W error` from turning those of a library into failures.

    They are for developers, and memchat's own are found by its tests. The log takes what gets past the filter: a
    library may put one of its own in front.
    """
    warnings.simplefilter("ignore")
    logging.captureWarnings(True)


if __name__ == "__main__":
    main()
