"""Serves the web application with uvicorn, set so that nothing about patients reaches a log."""

import socket

import uvicorn
from fastapi import FastAPI

_SECONDS_FOR_OPEN_STREAMS = 3


def server(app: FastAPI) -> uvicorn.Server:
    """Return a server for `app` that is not yet started; give `run` or `serve` a listening socket.

    There is no access log: URLs carry study UIDs and, from careless programs, search words. Forwarded headers are
    not believed: nothing here depends on them.
    """
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_SECONDS_FOR_OPEN_STREAMS,
    )
    return uvicorn.Server(config)


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port`; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named does asyncio set TCP_NODELAY; without it every answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener
