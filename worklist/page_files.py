"""The built page: its files, and the page itself for every address that the page shows by itself."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

_PAGE = "index.html"
_OF_PROGRAMS = ("/api/", "/dicom-web/")


def static_folder() -> Path:
    """Return the folder of the built page."""
    return Path(str(files("worklist").joinpath("static")))


def serve_page(app: FastAPI, folder: Path) -> None:
    """Serve the page at every address that no route answers, also of routes that are added later."""
    app.mount("/assets", _Revalidated(directory=folder / "assets", check_dir=False), name="assets")

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await _page_or_not_found(scope, folder)(scope, receive, send)

    app.router.default = page


def _page_or_not_found(scope: Scope, folder: Path) -> Response:
    path = scope["path"]
    is_file = "." in path.rsplit("/", 1)[-1]
    if scope["method"] not in ("GET", "HEAD") or path.startswith(_OF_PROGRAMS) or is_file:
        return JSONResponse({"detail": "not found"}, status_code=404)
    return FileResponse(folder / _PAGE, headers={"Cache-Control": "no-cache"})


class _Revalidated(StaticFiles):
    """Static files that a browser asks for again each time and gets only when they changed."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response
