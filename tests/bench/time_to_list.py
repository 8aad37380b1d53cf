"""From the last slice's C-STORE response to the row with its priority, as a page learns of it.

Thirty head CTs, one after the other, over a real association each; the quiet period at its default. The stages:
completion (the study counts as complete), queue_and_commit (job start, rows), reading (files to volume), inference
(volume to findings), push (commit until a client that follows /api/v1/events has fetched the row).
"""

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from storage.database import connect
from storage.worklist_rows import WorklistReader
from tests.head_ct_files import write_head_ct
from tests.running import RunningAcuity, acuity_up, wait_for
from triage.identifiers import StudyInstanceUid

STUDIES = 30
SETTINGS = "[dicom]\nport = 0\n[web]\nport = 0\n"


def measure() -> Iterator[dict[str, Any]]:
    """Yield one line per stage and one for the whole, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        studies = [write_head_ct(Path(folder) / str(n), seed=n, bleed=n % 3 == 0) for n in range(STUDIES)]
        with acuity_up(Path(folder) / "home", SETTINGS) as running:
            timings = list(_timings(running, studies))
    for stage in timings[0]:
        values = [one[stage] for one in timings]
        yield {
            "stage": stage,
            "unit": "s",
            "n": len(values),
            "p50": round(median(values), 3),
            "p95": round(quantiles(values, n=20)[-1], 3),
            "max": round(max(values), 3),
        }


def _timings(running: RunningAcuity, studies: list[list[Path]]) -> Iterator[dict[str, float]]:
    token = running.answer("token", "create", "--role", "reader")["token"]
    seen: dict[str, datetime] = {}
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(running.url, token, seen, stop), daemon=True)
    watcher.start()
    url = json.loads((running.home / "run" / "settings.json").read_text())["database"]["url"]
    reader = WorklistReader(connect(url))
    wait_for(lambda: "connected" in seen, 30)
    for files in studies:
        uid = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
        answered_at = _send(running.dicom_port, files)
        wait_for(lambda uid=uid: uid in seen, 60)
        yield _stages(reader, uid, answered_at, seen[uid])
    stop.set()


def _send(port: int, files: list[Path]) -> datetime:
    """Send one study over one association and return when its last response came."""
    entity = AE(ae_title="BENCH")
    entity.add_requested_context(CTImageStorage, dcmread(files[0]).file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title="ACUITY")
    assert association.is_established
    for path in files:
        assert association.send_c_store(path).Status == 0x0000
    answered_at = datetime.now(UTC)
    association.release()
    return answered_at


def _watch(url: str, token: str, seen: dict[str, datetime], stop: threading.Event) -> None:
    """Follow the event stream as the page does, and note when each study's row carried its priority."""
    headers = {"Authorization": f"Bearer {token}"}
    with (
        suppress(httpx.RemoteProtocolError),  # the platform is stopped while the stream is open
        httpx.Client(base_url=url, headers=headers, timeout=30) as client,
        client.stream("GET", "api/v1/events", timeout=None) as events,
    ):
        seen["connected"] = datetime.now(UTC)
        for line in events.iter_lines():
            if stop.is_set():
                return
            if line.startswith("data:"):
                _note(client.get("api/v1/worklist", params={"limit": 100}).json(), seen)


def _note(page: dict[str, Any], seen: dict[str, datetime]) -> None:
    now = datetime.now(UTC)
    for row in page["rows"]:
        if row["ai_state"] != "pending":
            seen.setdefault(row["study_instance_uid"], now)


def _stages(reader: WorklistReader, uid: str, answered_at: datetime, seen_at: datetime) -> dict[str, float]:
    detail = reader.detail(StudyInstanceUid(uid))
    study, seconds = detail.row.study, detail.recorded[-1].analysis.seconds
    assert study.complete_at is not None
    assert study.triaged_at is not None
    completion = (study.complete_at - answered_at).total_seconds()
    working = (study.triaged_at - study.complete_at).total_seconds()
    return {
        "total": (seen_at - answered_at).total_seconds(),
        "completion": completion,
        "queue_and_commit": working - seconds.reading - seconds.inference,
        "reading": seconds.reading,
        "inference": seconds.inference,
        "push": (seen_at - study.triaged_at).total_seconds(),
    }
