"""Runs a web application on a free port for as long as a test looks at it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from tests.browser.department import PATIENCE_S, until
from worklist.server import listening_socket, server


@contextmanager
def running(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve `app` with the real server, on `port` or a free one, and hand out its address."""
    web = server(app)
    listener = listening_socket("127.0.0.1", port)
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until(lambda: web.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        web.should_exit = True
        thread.join(timeout=PATIENCE_S)
        listener.close()
