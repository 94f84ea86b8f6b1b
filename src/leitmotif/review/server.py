"""The review page over HTTP: a Starlette application around a session."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from leitmotif.errors import AudioError, LeitmotifError, StoreError
from leitmotif.review import parts, view
from leitmotif.review.assets import MEDIA_TYPES, page_files, page_version
from leitmotif.review.failures import (
    ConflictError,
    DoubledError,
    LockedError,
    NotFoundError,
    NotSavedError,
    RefusedError,
)
from leitmotif.review.guard import REVIEWER, Access, Guard
from leitmotif.review.pictures import self_similarity
from leitmotif.review.queue import ALL_QUEUES, AnyQueue
from leitmotif.review.requests import Addition, Draft, Hearing, Press, Skip, TakeBack
from leitmotif.review.session import Session
from leitmotif.tables.decisions import Decision, Listening

_STATUS: dict[type[LeitmotifError], int] = {
    NotFoundError: 404,
    AudioError: 404,
    ConflictError: 409,
    DoubledError: 422,
    RefusedError: 422,
    LockedError: 503,
    NotSavedError: 507,
    StoreError: 507,
}
Body = TypeVar("Body", bound=BaseModel)


def application(session: Session, *, reviewers: tuple[str, ...], access: Access) -> ASGIApp:
    """Make the application; ``reviewers`` are those who may decide, at least one."""
    pages = _Pages(session, reviewers)
    api = "/as/{reviewer}/api/{queue}"
    app = Starlette(
        routes=[
            Route("/", pages.start),
            Route("/static/{version}/{name}", pages.static),
            Route("/clips/{name}.wav", pages.clip),
            Route("/matrix/{track}/{transposition}", pages.matrix),
            Route("/as/{reviewer}/{queue}", pages.page),
            Route("/as/{reviewer}/{queue}/{pair}", pages.page),
            Route(f"{api}/state", pages.state),
            Route(f"{api}/next", pages.next),
            Route(f"{api}/items/{{pair}}", pages.item),
            Route(f"{api}/decisions", pages.decide, methods=["POST"]),
            Route(f"{api}/listenings", pages.listen, methods=["POST"]),
            Route(f"{api}/draft", pages.draft, methods=["POST"]),
            Route(f"{api}/pairs", pages.add, methods=["POST"]),
            Route(f"{api}/undo", pages.undo, methods=["POST"]),
            Route(f"{api}/skip", pages.skip, methods=["POST"]),
        ],
        exception_handlers={
            LeitmotifError: _known_error,
            HTTPException: _http_error,
            OSError: _system_error,
            Exception: _bug,
        },
    )
    return Guard(app, access)  # outermost: its headers stand on every answer


class _Pages:
    """The endpoints; all that touches files runs in threads."""

    def __init__(self, session: Session, reviewers: tuple[str, ...]) -> None:
        self.session, self.reviewers = session, reviewers
        self._static = f"/static/{page_version()[:16]}"

    def start(self, request: Request) -> Response:
        """Send a reviewer to their queue, or let them say who they are."""
        reviewers = (own,) if (own := request.scope[REVIEWER]) else self.reviewers
        if len(reviewers) == 1:
            return RedirectResponse(f"/as/{reviewers[0]}/review", 303)
        links = "".join(f'<li><a href="/as/{name}/review">{name}</a></li>' for name in reviewers)
        return self._html("start.html", {"{{reviewers}}": links})

    def page(self, request: Request) -> Response:
        """Give the page itself; it asks the API for everything else."""
        self._who(request)
        return self._html("index.html", {})

    def static(self, request: Request) -> Response:
        """Give a file of the page."""
        name = request.path_params["name"]
        content = page_files().get(name)
        if content is None:
            raise HTTPException(404)
        media_type = MEDIA_TYPES[name[name.rindex(".") :]]
        return Response(
            content,
            media_type=media_type,
            headers={"cache-control": "max-age=31536000, immutable"},
        )

    def clip(self, request: Request) -> Response:
        """Give a clip that was cut; its name is a hash, and no other path is ever opened."""
        name = request.path_params["name"]
        path = self.session.material.clips.path(name) if _is_hash(name) else None
        if path is None or not path.is_file():
            raise NotFoundError("there is no such clip", fix="reload the page")
        return FileResponse(
            path, media_type="audio/wav", headers={"cache-control": "max-age=86400, immutable"}
        )

    def matrix(self, request: Request) -> Response:
        """Give a track's self-similarity as n * n bytes."""
        try:
            transposition = int(request.path_params["transposition"])
        except ValueError:
            raise HTTPException(404) from None
        features = self.session.material.features(request.path_params["track"])
        matrix = self_similarity(features, transposition)
        return Response(matrix.tobytes(), media_type="application/octet-stream")

    def state(self, request: Request) -> Response:
        """Say where the reviewer stands."""
        return _json(view.state(self.session, *self._who(request)))

    def next(self, request: Request) -> Response:
        """Give the next item, other than those named in ``but``."""
        reviewer, queue = self._who(request)
        but = frozenset(request.query_params.getlist("but"))
        item = self.session.next(reviewer, queue, but=but)
        shown = view.offered(self.session, item, reviewer, queue) if item else None
        return _json({"item": shown, "state": view.state(self.session, reviewer, queue)})

    def item(self, request: Request) -> Response:
        """Give one item."""
        reviewer, queue = self._who(request)
        item = self.session.offered(queue, request.path_params["pair"])
        return _json({"item": view.offered(self.session, item, reviewer, queue)})

    async def decide(self, request: Request) -> Response:
        """Record a verdict; answers when it is on the disk."""
        reviewer, queue = self._who(request)
        press = await _body(request, Press)
        if queue == "stretches":
            raise RefusedError("this queue asks about stretches", fix="reload the page")
        return await self._recorded(request, lambda: self.session.decide(reviewer, queue, press))

    async def listen(self, request: Request) -> Response:
        """Record what was heard of a stretch; answers when it is on the disk."""
        reviewer, _ = self._who(request)
        hearing = await _body(request, Hearing)
        return await self._recorded(request, lambda: self.session.listen(reviewer, hearing))

    async def add(self, request: Request) -> Response:
        """Record a pair that the reviewer adds; answers when it is on the disk."""
        reviewer, _ = self._who(request)
        addition = await _body(request, Addition)
        return await self._recorded(request, lambda: self.session.add(reviewer, addition))

    async def draft(self, request: Request) -> Response:
        """Give a pair that was marked, to be heard; nothing is saved."""
        self._who(request)
        draft = await _body(request, Draft)

        def work() -> Any:
            return {"item": view.draft(self.session, self.session.draft(draft))}

        return _json(await run_in_threadpool(work))

    async def undo(self, request: Request) -> Response:
        """Take a decision back; answers when that is on the disk."""
        reviewer, queue = self._who(request)
        take_back = await _body(request, TakeBack)

        def work() -> Any:
            undo, repeated = self.session.undo(reviewer, queue, take_back)
            state = view.state(self.session, reviewer, queue)
            undone = self.session.reopened(queue, reviewer, undo)
            return {"undone": undone, "repeated": repeated, "state": state}

        return _json(await run_in_threadpool(work))

    async def skip(self, request: Request) -> Response:
        """Put an item at the end of the queue."""
        reviewer, queue = self._who(request)
        skip = await _body(request, Skip)

        def work() -> Any:
            self.session.skip(reviewer, queue, skip)
            return {"state": view.state(self.session, reviewer, queue)}

        return _json(await run_in_threadpool(work))

    async def _recorded(
        self, request: Request, record: Callable[[], tuple[Decision | Listening, bool]]
    ) -> Response:
        reviewer, queue = self._who(request)

        def work() -> Any:
            entry, repeated = record()
            answer = view.recorded(self.session, entry, repeated=repeated)
            return answer | {"state": view.state(self.session, reviewer, queue)}

        return _json(await run_in_threadpool(work))

    def _who(self, request: Request) -> tuple[str, AnyQueue]:
        """Read reviewer and queue from the address; a token speaks for its own reviewer only."""
        reviewer, queue = request.path_params["reviewer"], request.path_params["queue"]
        own = request.scope[REVIEWER]
        if reviewer not in self.reviewers or queue not in ALL_QUEUES:
            raise NotFoundError(
                "there is no such reviewer or queue here",
                found=f"{reviewer}, {queue}",
                expected=f"{' or '.join(self.reviewers)}, {' or '.join(ALL_QUEUES)}",
                fix="start the page with --reviewer NAME for each reviewer",
            )
        if own is not None and own != reviewer:
            raise HTTPException(403, "this token belongs to another reviewer")
        return reviewer, queue

    def _html(self, name: str, values: dict[str, str]) -> Response:
        text = page_files()[name].decode()
        for mark, value in {"{{static}}": self._static, **values}.items():
            text = text.replace(mark, value)
        return HTMLResponse(text, headers={"cache-control": "no-store"})


async def _body(request: Request, model: type[Body]) -> Body:
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        problem = error.errors()[0]
        raise RefusedError(
            "the server does not understand this request",
            found=f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}",
            fix="reload the page",
        ) from error


def _is_hash(name: str) -> bool:
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def _json(data: Any, status: int = 200) -> Response:
    return JSONResponse(data, status, headers={"cache-control": "no-store"})


async def _known_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, LeitmotifError)
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    answer: dict[str, Any] = {"error": parts.problem(error)}
    if isinstance(error, DoubledError):
        answer["pair"] = error.pair
    return _json(answer, status)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": parts.problem(LeitmotifError(error.detail))}, error.status_code)


async def _system_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return _json(
        {
            "error": parts.problem(
                LeitmotifError(
                    "a file cannot be read or written",
                    found=error,
                    fix="free disk space or correct the permissions, then try again",
                )
            )
        },
        507,
    )


async def _bug(_: Request, error: Exception) -> Response:
    found = f"{type(error).__name__}; details are in the terminal"
    return _json({"error": parts.problem(LeitmotifError("the server has a bug", found=found))}, 500)
