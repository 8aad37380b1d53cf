"""The versions that answers and figures may depend on."""

from importlib.metadata import version

PACKAGES = ("acuity", "numpy", "onnxruntime", "pillow", "pydicom", "scipy")


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that a figure may depend on."""
    return {name: version(name) for name in PACKAGES}
