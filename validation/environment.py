"""What figures are computed with: processor, GPU with its driver, versions."""

import os
import platform
import subprocess
from pathlib import Path

from validation.package_versions import package_versions
from validation.result_document import Json


def environment_of(threads: int, workers: int | None, device: str) -> dict[str, Json]:
    """Return what the figures were computed with; nothing that names the machine or its owner.

    Where workers of the platform answered, `workers` is None: their number may change while they answer.
    """
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cpu_count": os.cpu_count(),
        "gpu": _gpu() if device == "cuda" else None,
        "threads": threads,
        "workers": workers,
        "on_platform": workers is None,
        **package_versions(),
    }


def _cpu() -> str:
    """Return the processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _gpu() -> str | None:
    """Return name and driver of the GPUs as NVIDIA's own tool tells them, None where it is absent."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return "; ".join(line.strip() for line in told.splitlines() if line.strip()) or None
