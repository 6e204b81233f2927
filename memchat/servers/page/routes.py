"""Routes of the page: views are GET requests; changes are forms with a token, answered by a redirect."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from memchat.api.memory import Memory
from memchat.config import MemoryMode
from memchat.core.types import CATEGORIES
from memchat.errors import MemchatError, NotFound
from memchat.servers.failures import status_of
from memchat.servers.keys import Reach
from memchat.servers.observation import TemplateRoute
from memchat.servers.page.session import COOKIE, LOGIN, STYLE, PageSession
from memchat.servers.page.views import Views
from memchat.servers.reach import ReachedMemory, reach, reached_user

POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# With no-referrer a browser would send forms with "Origin: null", which looks like another site.
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"}

DONE = {
    "added": "Added.",
    "saved": "Saved. The former words are in the history below, and can be brought back.",
    "undone": "The last change was undone.",
    "forgotten": "Forgotten. memchat's files were searched for it afterwards, and nothing of it is left in them.",
    "traces": "Forgotten, but traces of it are still in memchat's files. The command memchat doctor says where.",
}
"""What is said after a form was sent, by the name in the address that the browser is sent to."""

View = Callable[[Request, Views], Response]
Form = dict[str, str]


class Page:
    """The web page for one `Memory`."""

    def __init__(self, memory: Memory, session: PageSession) -> None:
        self._memory = memory
        self._reached = ReachedMemory(memory)
        self._session = session
        loader = PackageLoader("memchat.servers.page")
        self._templates = Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True)
        self._style = files("memchat.servers.page").joinpath("templates/style.css").read_text("utf-8")

    def add_to(self, api: FastAPI) -> None:
        """Add all views and forms, without listing them in the OpenAPI document."""
        views: dict[str, View] = {
            "/": self._list,
            "/page/memory/{id}": lambda request, views: self._detail(request, views, "memory.html"),
            "/page/memory/{id}/forget": lambda request, views: self._detail(request, views, "forget.html"),
            "/page/conversations": lambda request, views: self._html(
                request, "conversations.html", views.conversations()
            ),
            "/page/conversation/{id}": self._conversation,
            "/page/timeline": self._timeline,
            "/page/export": self._export,
            "/page/statistics": lambda request, views: self._html(request, "statistics.html", views.statistics()),
        }
        for path, view in views.items():
            api.router.routes.append(TemplateRoute(path, self._view_endpoint(view), methods=["GET"]))
        forms = {
            "/page/add": self._add,
            "/page/memory/{id}/edit": self._edit,
            "/page/memory/{id}/undo": self._undo,
            "/page/memory/{id}/forget": self._forget,
            "/page/conversation/{id}/private": self._private,
        }
        for path, change in forms.items():
            api.router.routes.append(TemplateRoute(path, self._form_endpoint(change), methods=["POST"]))
        api.router.routes.append(TemplateRoute(LOGIN, self._login, methods=["GET", "POST"]))
        api.router.routes.append(TemplateRoute(STYLE, self._stylesheet, methods=["GET"]))

    # Around every view.

    def _view_endpoint(self, view: View) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(self._try, request, lambda: view(request, self._views(request)))

        return endpoint

    def _form_endpoint(self, change: Callable[[Request, Views, Form], str]) -> Callable[[Request], Any]:
        """Build the endpoint of a form: `change` makes the change and returns the path to redirect to."""

        async def endpoint(request: Request) -> Response:
            form = await _form(request)

            def act() -> Response:
                if not self._session.is_form_token(form.get("token", ""), Reach(reach())):
                    return self._html(
                        request, "failure.html", {"message": "This form is too old. Go back and reload."}, 403
                    )
                path = change(request, self._views(request), form)
                return RedirectResponse(self._link(request, path), 303, HEADERS)

            return await run_in_threadpool(self._try, request, act)

        return endpoint

    def _try(self, request: Request, answer: Callable[[], Response]) -> Response:
        try:
            return answer()
        except MemchatError as error:
            message = " ".join(filter(None, (error.message, error.hint)))
            return self._html(request, "failure.html", {"message": message}, status_of(error))

    def _views(self, request: Request) -> Views:
        """Return the views of the selected user. Raises NotFound for a user the token gives no access to."""
        user = self._user(request)
        if request.query_params.get("user", user) not in {user, ""}:
            raise NotFound("There is no user of that name.")
        return Views(self._memory, user)

    def _user(self, request: Request) -> str:
        """Return the selected user; with a token, always the token's user."""
        user = reached_user(self._memory.settings.user)
        return user if reach() is not None else request.query_params.get("user") or user

    def _link(self, request: Request, path: str) -> str:
        """Return `path` with the selected user as parameter, if it is not the default user."""
        user = self._user(request)
        if user == self._memory.settings.user:
            return path
        return f"{path}{'&' if '?' in path else '?'}{urlencode({'user': user})}"

    def _html(self, request: Request, name: str, data: dict[str, Any], status: int = 200) -> HTMLResponse:
        users = [row["name"] for row in self._reached.entities() if row["type"] == "user"] if status == 200 else []
        user = self._user(request)
        text = self._templates.get_template(name).render(
            **data,
            user=user,
            users=sorted({*users, user}),
            token=self._session.form_token(Reach(reach())),
            categories=CATEGORIES,
            done=DONE.get(request.query_params.get("done", ""), ""),
            mode=self._memory.settings.memory,
            modes=MemoryMode,
            link=lambda path: self._link(request, path),
            path=lambda part: quote(part, safe=""),
        )
        return HTMLResponse(text, status, HEADERS)

    # Views.

    def _list(self, request: Request, views: Views) -> Response:
        given = request.query_params
        data = views.listing(given.get("q", "").strip(), given.get("category", ""), _page_number(request))
        return self._html(request, "memories.html", data)

    def _timeline(self, request: Request, views: Views) -> Response:
        data = views.timeline(request.query_params.get("month", ""), _page_number(request))
        return self._html(request, "timeline.html", data)

    def _detail(self, request: Request, views: Views, template: str) -> Response:
        return self._html(request, template, views.detail(request.path_params["id"]))

    def _conversation(self, request: Request, views: Views) -> Response:
        return self._html(request, "conversation.html", views.conversation(request.path_params["id"]))

    def _export(self, request: Request, views: Views) -> Response:
        headers = {**HEADERS, "Content-Disposition": "attachment; filename=memories.jsonl"}
        return Response(views.export(), media_type="application/jsonl", headers=headers)

    # Changes.

    def _add(self, request: Request, views: Views, form: Form) -> str:
        with self._memory.connection() as connection:
            memory = connection.service.add(form.get("text", ""), views.owner)
        return f"/page/memory/{memory.id}?done=added"

    def _edit(self, request: Request, views: Views, form: Form) -> str:
        with self._memory.connection() as connection:
            memory = connection.service.edit(
                views.own(connection.store, request.path_params["id"]), form.get("text", "")
            )
        return f"/page/memory/{memory.id}?done=saved"

    def _undo(self, request: Request, views: Views, form: Form) -> str:
        with self._memory.connection() as connection:
            memory = connection.service.undo(views.own(connection.store, request.path_params["id"]))
        return f"/page/memory/{memory.id}?done=undone"

    def _forget(self, request: Request, views: Views, form: Form) -> str:
        with self._memory.connection() as connection:
            left = connection.service.forget([views.own(connection.store, request.path_params["id"]).id]).left
        return "/?done=traces" if left else "/?done=forgotten"

    def _private(self, request: Request, views: Views, form: Form) -> str:
        with self._memory.connection() as connection:
            session = views.own_session(connection.store, request.path_params["id"])
            connection.store.conversations.set_private(session, form.get("private") == "on")
        return f"/page/conversation/{quote(session.id, safe='')}"

    # Login.

    async def _login(self, request: Request) -> Response:
        if request.method == "GET":
            return HTMLResponse(self._templates.get_template("login.html").render(wrong=False), headers=HEADERS)
        cookie = self._session.cookie((await _form(request)).get("key", ""))
        if cookie is None:
            return HTMLResponse(self._templates.get_template("login.html").render(wrong=True), 401, HEADERS)
        answer = RedirectResponse("/", 303, HEADERS)
        secure = request.headers.get("x-forwarded-proto") == "https"
        answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure)
        return answer

    async def _stylesheet(self, request: Request) -> Response:
        return Response(self._style, media_type="text/css")


def _page_number(request: Request) -> int:
    page = request.query_params.get("page", "1")
    return int(page) if page.isdecimal() and 0 < int(page) < 1_000_000 else 1


async def _form(request: Request) -> Form:
    """Parse the fields of a form."""
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
