"""The entry point: `memchat` and `python -m memchat`."""

import gc
import io
import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # What recall multiplies is small: to wait for a second thread on a busy machine costs several times what it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from memchat.library_warnings import silence_library_warnings

    silence_library_warnings()
    from memchat.cli.main import run

    try:
        code = run(sys.argv[1:])
    finally:
        # Python would end by looking through all that LiteLLM has loaded for cycles, which takes a second.
        gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
