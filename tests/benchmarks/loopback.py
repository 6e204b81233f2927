"""The scripted server without its waits, for benchmarks."""

from tests.scripted_server import EmbedTexts, Respond, ScriptedServer


class PromptServer(ScriptedServer):
    """Sends every piece at once. With Nagle's algorithm on, small ones wait 40 ms for the client's acknowledgement."""

    def __init__(self, respond: Respond | None = None, *, embed: EmbedTexts | None = None) -> None:
        super().__init__(respond, embed=embed)
        self._http.RequestHandlerClass.disable_nagle_algorithm = True  # type: ignore[attr-defined]
