"""A screen that a reply streams onto, for tests."""

from io import StringIO

from rich.console import Console

from memchat.repl.markdown.renderer import StreamingMarkdown


class Screen:
    """A reply in the making, and what was printed of it so far."""

    def __init__(self, width: int = 80, colours: bool = False) -> None:
        self.out = StringIO()
        self.console = Console(
            file=self.out, width=width, force_terminal=colours, color_system="standard" if colours else None
        )
        self.reply = StreamingMarkdown(self.console)

    def feed(self, *pieces: str) -> str:
        for piece in pieces:
            self.reply.feed(piece)
        return self.out.getvalue()

    def finish(self, *pieces: str) -> str:
        self.feed(*pieces)
        self.reply.close()
        return self.out.getvalue()
