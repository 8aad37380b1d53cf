"""The simulated scanners: three makers for each modality, which name, number and store their images differently."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Scanner:
    """One scanner and the protocol that it runs.

    `tilt_degrees` is how far its slices lean forward from axial; `cranial_first` numbers them from the top;
    `signed_pixels` stores CT numbers as they are instead of shifted by 1024. `dose` is relative to its usual one,
    `is_sharp` says that its kernel is sharper than usual, and `logo` is written into every image (these and `slice_mm`,
    the thickness: CT only).
    """

    modality: str
    maker: str
    model: str
    study_description: str
    series_description: str
    protocol: str
    body_part: str
    kernel: str = ""
    tilt_degrees: float = 0.0
    cranial_first: bool = False
    signed_pixels: bool = False
    software: str = "1.0"
    exposure_mas: float = 220.0
    slice_mm: float = 5.0
    dose: float = 1.0
    is_sharp: bool = False
    logo: str = ""
    own_ae_title: str = ""

    @property
    def ae_title(self) -> str:
        return self.own_ae_title or f"SIM{self.modality}"

    @property
    def manufacturer(self) -> str:
        return f"Acuity Simulator {self.maker}"

    @property
    def station_name(self) -> str:
        return f"SIM{self.modality}{self.maker.upper()}"


SCANNERS: Mapping[str, tuple[Scanner, ...]] = MappingProxyType(
    {
        "ct": (
            Scanner("CT", "Alpha", "Harrier 64", "SIMULATED CT HEAD", "Head 5.0 H31s", "HeadRoutine", "HEAD", "H31s"),
            Scanner(
                "CT",
                "Beta",
                "Lanner CT 128",
                "SIMULATED CT Brain wo contrast",
                "5mm Axial Brain STANDARD",
                "1.1 Adult Head",
                "HEAD",
                "STANDARD",
                cranial_first=True,
                signed_pixels=True,
            ),
            Scanner(
                "CT",
                "Gamma",
                "Hobby Prime",
                "SIMULATED CT CEREBRUM",
                "Cerebrum ax UB",
                "Brain Seq",
                "BRAIN",
                "UB",
                tilt_degrees=8.0,
            ),
        ),
        "mr": (
            Scanner("MR", "Alpha", "Egret 1.5", "SIMULATED MR BRAIN", "t2 tirm tra dark-fluid", "FLAIR ax", "BRAIN"),
            Scanner("MR", "Beta", "Bittern 3T", "SIMULATED MRI Head", "Ax T2 FLAIR", "BRAIN ROUTINE", "BRAIN"),
            Scanner("MR", "Gamma", "Stork", "SIMULATED MR CEREBRUM", "FLAIR TRA 5", "sFLAIR", "HEAD", tilt_degrees=6.0),
        ),
        "us": (
            Scanner("US", "Alpha", "Nightjar X", "SIMULATED US BREAST", "Breast B-mode", "Breast", "BREAST"),
            Scanner("US", "Beta", "Oilbird 7", "SIMULATED BREAST ULTRASOUND", "BREAST", "Small parts", "BREAST"),
            Scanner("US", "Gamma", "Swiftlet", "SIMULATED Mammasonographie", "Mamma", "Mamma L12", "BREAST"),
        ),
        "dx": (
            Scanner("DX", "Alpha", "Pelican DR", "SIMULATED XR CHEST", "Chest PA", "Thorax PA", "CHEST"),
            Scanner("DX", "Beta", "Shoebill", "SIMULATED CR Chest 1 view", "W033 Chest", "Chest PA erect", "CHEST"),
            Scanner("DX", "Gamma", "Ibis Mobile", "SIMULATED Thorax", "Thorax p.a.", "Thorax", "CHEST"),
        ),
    }
)
