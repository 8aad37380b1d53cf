"""The list with 100,000 studies and 50 live pages: how long a request takes, how soon all see a new study.

Three head CTs go the whole way; the other studies are their rows copied by the database, with other names, times and
bands. Every page is a client that follows /api/v1/events and, as the page does, asks for the list when it changed.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
from sqlalchemy import text

from storage.database import connect
from tests.head_ct_files import write_head_ct
from tests.running import RunningAcuity, acuity_up, storescu, wait_for

SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n"
PAGE_ROWS = 200
REQUESTS: dict[str, dict[str, Any]] = {
    "open list": {},
    "band": {"band": "URGENT"},
    "modality": {"modality": "CT"},
    "read too": {"reading": "all"},
    "part of a name": {"q": "copy^04711"},
    "page behind the middle": {"reading": "all", "after": "middle"},
}
COPIED = "2.25.7"
COPIES = """
INSERT INTO studies (study_instance_uid, header, status, revision, order_priority, priority, ai_state, reason,
    received_at, last_instance_at, deadline, complete_at, triaged_at, completed_by, modalities, read_revision, read_at)
SELECT '2.25.7' || lpad(n::text, 9, '0'),
    header || jsonb_build_object('patient_name', 'Copy^' || lpad(n::text, 6, '0'), 'patient_id', 'C' || n),
    status, revision, order_priority, CASE WHEN n % 50 = 0 THEN priority ELSE 3 END, ai_state, reason,
    received_at - n * interval '11 s', last_instance_at - n * interval '11 s', deadline + n * interval '1 s'
    + interval '1 day', complete_at - n * interval '11 s', triaged_at - n * interval '11 s', completed_by, modalities,
    CASE WHEN n % 20 <> 0 THEN revision END, CASE WHEN n % 20 <> 0 THEN triaged_at END
FROM generate_series(1, :count) AS n, (SELECT * FROM studies WHERE study_instance_uid = :source) AS source
"""
COPIED_IMAGES = """
INSERT INTO instances SELECT '2.25.8' || lpad(n::text, 9, '0'), '2.25.9' || lpad(n::text, 9, '0'),
    '2.25.7' || lpad(n::text, 9, '0'), series_header, image_header, sha256, size, path, transfer_syntax_uid,
    source_ae_title, source_host, association_id, received_at
FROM generate_series(1, :count) AS n,
    (SELECT * FROM instances WHERE study_instance_uid = :source LIMIT 1) AS source
"""
COPIED_ANALYSES = """
INSERT INTO analyses (study_instance_uid, revision, input_digest, model_name, model_digest, answer, recorded_at)
SELECT '2.25.7' || lpad(n::text, 9, '0'), revision, input_digest, model_name, model_digest, answer, recorded_at
FROM generate_series(1, :count) AS n, (SELECT * FROM analyses WHERE study_instance_uid = :source LIMIT 1) AS source
"""


def measure(arguments: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield one line per kind of request, and one for the way from the commit to the last page."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        heads = [write_head_ct(Path(folder) / str(n), seed=n, bleed=True) for n in range(options.repeats + 1)]
        with acuity_up(Path(folder) / "home", SETTINGS) as running:
            storescu(running.dicom_port, *heads[0])
            (first,) = wait_for(lambda: [one for one in running.studies() if one["triaged_at"]], 120)
            url = json.loads((running.home / "run" / "settings.json").read_text())["database"]["url"]
            _copy(url, first["study_instance_uid"], options.studies)
            token = running.answer("token", "create", "--role", "reader")["token"]
            what = {"studies": options.studies, "pages": options.pages}
            for line in asyncio.run(_measured(running, token, heads[1:], options)):
                yield {**what, **line}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench live_list", description=__doc__)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--requests", type=int, default=200, help="of each kind, one after the other")
    parser.add_argument("--repeats", type=int, default=5, help="studies sent while everyone looks")
    return parser.parse_args(arguments)


def _copy(url: str, source: str, count: int) -> None:
    with connect(url).begin() as connection:
        for statement in (COPIES, COPIED_IMAGES, COPIED_ANALYSES):
            connection.execute(text(statement), {"count": count, "source": source})
    with connect(url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


@dataclass
class Page:
    """An open page: how often it fetched the list, and the sent studies that it has shown analysed, by moment."""

    fetched: int = 0
    seen: dict[str, float] = field(default_factory=dict)


async def _measured(
    running: RunningAcuity, token: str, heads: Sequence[list[Path]], options: argparse.Namespace
) -> list[dict[str, Any]]:
    lines = []
    async with _open_pages(running.url, token, options.pages) as pages, _client(running.url, token) as client:
        for name, parameters in REQUESTS.items():
            lines.append(await _requests(client, name, parameters, options.requests, options.studies))
        lines.append(await _first_sight(client, running.dicom_port, pages, heads))
    return lines


async def _requests(
    client: httpx.AsyncClient, name: str, parameters: dict[str, Any], count: int, studies: int
) -> dict[str, Any]:
    chosen = dict(parameters)
    if "after" in chosen:
        chosen["after"] = f"{COPIED}{studies // 2:09d}"
    values = []
    for _ in range(count):
        begun = time.perf_counter()
        (await client.get("api/v1/worklist", params={"limit": PAGE_ROWS, **chosen})).raise_for_status()
        values.append((time.perf_counter() - begun) * 1000)
    return {
        "request": name,
        "unit": "ms",
        "n": count,
        "p50": round(median(values), 1),
        "p99": round(quantiles(values, n=100)[-1], 1),
    }


async def _first_sight(
    client: httpx.AsyncClient, dicom_port: int, pages: list[Page], heads: Sequence[list[Path]]
) -> dict[str, Any]:
    last = []
    for files in heads:
        known = set(pages[0].seen)
        await asyncio.to_thread(storescu, dicom_port, *files)
        async with asyncio.timeout(120):
            while not all(set(page.seen) - known for page in pages):
                await asyncio.sleep(0.05)
        (uid,) = set(pages[0].seen) - known
        study = (await client.get(f"api/v1/studies/{uid}")).raise_for_status().json()
        last.append(max(page.seen[uid] for page in pages) - datetime.fromisoformat(study["triaged_at"]).timestamp())
    return {
        "from": "commit of an analysed study to the last of the pages",
        "unit": "s",
        "n": len(last),
        "median": round(median(last), 3),
        "max": round(max(last), 3),
    }


@asynccontextmanager
async def _open_pages(url: str, token: str, count: int) -> AsyncIterator[list[Page]]:
    pages = [Page() for _ in range(count)]
    tasks = [asyncio.create_task(_follow(url, token, page)) for page in pages]
    try:
        async with asyncio.timeout(120):
            while not all(page.fetched for page in pages):
                await asyncio.sleep(0.05)
        yield pages
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(url: str, token: str, page: Page) -> None:
    async with _client(url, token) as client, client.stream("GET", "api/v1/events", timeout=None) as events:
        await _look(client, page)
        async for line in events.aiter_lines():
            if line.startswith("event: changed"):
                await _look(client, page)


async def _look(client: httpx.AsyncClient, page: Page) -> None:
    answer = await client.get("api/v1/worklist", params={"limit": PAGE_ROWS})
    now = time.time()
    for row in answer.raise_for_status().json()["rows"]:
        if not row["study_instance_uid"].startswith(COPIED) and row["ai_state"].startswith("analysed"):
            page.seen.setdefault(row["study_instance_uid"], now)
    page.fetched += 1


def _client(url: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
