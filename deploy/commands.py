"""What the commands that run something do: the platform, one process, the simulator."""

import argparse
import os
import sys

from deploy import processes, simulation
from deploy.log_setup import set_up_logging
from deploy.opened import opened_database
from deploy.settings import Settings, read_settings
from deploy.supervisor import Platform
from storage.database import connect
from storage.database import migrate as migrate_database


def up(options: argparse.Namespace) -> int:
    """Run every process until SIGTERM or SIGINT."""
    settings = _settings(options, "up")
    Platform(settings, options.simulator).run(processes.stop_on_signals())
    return 0


def receive(options: argparse.Namespace) -> int:
    """Run one receiver."""
    settings = _settings(options, "receive")
    with opened_database(settings) as url:
        processes.run_receiver(settings, url, processes.stop_on_signals())
    return 0


def work(options: argparse.Namespace) -> int:
    """Run one worker of one queue."""
    settings = _settings(options, f"work {options.queue}")
    with opened_database(settings) as url:
        processes.run_worker(settings, url, options.queue)
    return 0


def monitor(options: argparse.Namespace) -> int:
    """Run the monitor."""
    settings = _settings(options, "monitor")
    with opened_database(settings) as url:
        processes.run_monitor(settings, url, processes.stop_on_signals())
    return 0


def web(options: argparse.Namespace) -> int:
    """Serve the page."""
    settings = _settings(options, "web")
    with opened_database(settings) as url:
        processes.run_web(settings, url)
    return 0


def migrate(options: argparse.Namespace) -> int:
    """Bring the schema up to date."""
    settings = _settings(options, "migrate")
    with opened_database(settings) as url:
        migrate_database(connect(url))
    return 0


def simulated_pacs(options: argparse.Namespace) -> int:
    """Receive results as the simulated PACS until SIGTERM or SIGINT."""
    settings = _settings(options, "simulated-pacs")
    simulation.run_pacs(settings, processes.stop_on_signals())
    return 0


def scanners(options: argparse.Namespace) -> int:
    """Send simulated studies until SIGTERM or SIGINT."""
    settings = _settings(options, "scanners")
    simulation.run_scanners(settings, processes.stop_on_signals())
    return 0


def _settings(options: argparse.Namespace, process: str) -> Settings:
    # BLAS and OpenMP pools of several processes on few cores get in each other's way; ONNX Runtime has its own threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    set_up_logging(process)
    settings = read_settings(options.config)
    print(f"acuity: data in {settings.home}", file=sys.stderr)
    return settings
