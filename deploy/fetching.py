"""`acuity fetch`; the counts of sources that the monitor asks for, and the instances that it fetches from them."""

import argparse
import json
import sys
from collections.abc import Sequence

import structlog
from sqlalchemy import Engine

from deploy.clock import SystemClock
from deploy.dimse_services import sender_of
from deploy.settings import Settings, read_settings
from dicom_gateway.asking import count_at, fetch, instances_at
from dicom_gateway.retrieving import retrieve
from dicom_gateway.sender import Destination
from dicom_gateway.storing import Storing
from storage.completion_signals import keep_count, uncounted_studies
from storage.fetches import Fetch, end_fetch, held_instances, planned_fetches
from triage.errors import DestinationRefused, DestinationUnavailable, InvalidSetting
from triage.ports import ModelOffer

log = structlog.get_logger(__name__)


def run(options: argparse.Namespace) -> int:
    """Have a source send a study here, and print how much of it came."""
    settings = read_settings(options.config)
    known = sources_of(settings)
    if options.source not in known:
        raise InvalidSetting(
            f"--from {options.source}: no peer with answers_queries, known: {', '.join(known) or 'none'}"
        )
    done = fetch(sender_of(settings), known[options.source], options.uid)
    answer = {"study_instance_uid": options.uid, "completed": done.completed, "failed": done.failed}
    sys.stdout.write(json.dumps(answer, indent=None if options.json else 2) + "\n")
    return 1 if done.failed or not done.completed else 0


def sources_of(settings: Settings) -> dict[str, Destination]:
    """Return the peers that may be asked, by AE title."""
    asked = (one for one in settings.file.dicom.peers if one.answers_queries and one.port)
    return {
        one.ae_title: Destination(one.ae_title, one.ae_title, one.host, one.port, frozenset(), one.tls) for one in asked
    }


def ask_for_counts(settings: Settings, engine: Engine) -> None:
    """Ask the sources of the studies that have settled how many images there are, once after each last image.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    sources = sources_of(settings)
    for uid, ae_title in uncounted_studies(engine, list(sources)):
        count = None
        try:
            count = count_at(sender_of(settings), sources[ae_title], uid)
        except (DestinationUnavailable, DestinationRefused) as error:
            log.warning("source_not_counted", source=ae_title, reason=str(error))
        keep_count(engine, uid, ae_title, count)


def fetch_missing(settings: Settings, engine: Engine, store: Storing, offers: Sequence[ModelOffer]) -> None:
    """Ask sources for what studies lack that have gone quiet, each planned fetch once, whatever becomes of it.

    Of the series whose modality one of the models may see; what comes takes the way of C-STORE.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    sources = sources_of(settings)
    modalities = {name for offer in offers for name in offer.acceptance.modalities}
    for planned in planned_fetches(engine, list(sources)):
        missing: set[str] = set()
        reason = ""
        try:
            source, uid = sources[planned.source], planned.study_instance_uid
            held = held_instances(engine, uid)
            wanted = [
                one
                for one in instances_at(sender_of(settings), source, uid, modalities)
                if one.sop_instance_uid not in held
            ]
            missing = {one.sop_instance_uid for one in wanted}
            if wanted:
                retrieve(sender_of(settings), source, uid, wanted, store)
        except (DestinationUnavailable, DestinationRefused) as error:
            reason = str(error)
        came = len(missing & held_instances(engine, planned.study_instance_uid))
        became = Fetch(planned.source, len(missing), came, "" if came == len(missing) > 0 else reason)
        log.info("missing_fetched", source=planned.source, missing=len(missing), fetched=came, reason=reason)
        end_fetch(engine, planned, became, SystemClock().now())
