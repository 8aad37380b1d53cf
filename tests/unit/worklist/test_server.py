"""The socket that the page is served on."""

import asyncio
import socket

from worklist.server import listening_socket


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_beginning():
    async def no_delay() -> int:
        kept: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        async with await asyncio.start_server(
            lambda _, writer: kept.put_nowait(writer), sock=listening_socket("127.0.0.1", 0)
        ) as server:
            _, own = await asyncio.open_connection(*server.sockets[0].getsockname())
            accepted = await kept.get()
            value: int = accepted.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for writer in (own, accepted):
                writer.close()
            return value

    assert asyncio.run(no_delay())
