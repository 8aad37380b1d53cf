"""One thread for torch: the tests run side by side, and threads that wait for one another are slower than one."""

from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)
