"""The two kinds of planar networks, and which of them a plan describes."""

from typing import TypeAlias

from models.training.lesion_network import LesionNetwork, LesionPlan
from models.training.transfer_network import TransferNetwork, TransferPlan

PlanarPlan: TypeAlias = LesionPlan | TransferPlan
PlanarNetwork: TypeAlias = LesionNetwork | TransferNetwork


def network_of(plan: PlanarPlan) -> PlanarNetwork:
    """Return a network of the shape of `plan`, nothing in it fitted to the set yet."""
    return TransferNetwork(plan) if isinstance(plan, TransferPlan) else LesionNetwork(plan)
