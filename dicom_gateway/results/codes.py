"""The coded concepts that reports use, each with the context group or template it comes from in PS3.16."""

from collections.abc import Mapping

from highdicom.sr import CodedConcept
from pydicom.sr.coding import Code

from triage import findings
from triage.priority import Priority

ENGLISH = Code("en-US", "RFC5646", "English (United States)")

IMAGING_MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
SOURCE = Code("260753009", "SCT", "Source")
MODALITY = Code("121139", "DCM", "Modality")
PIXEL_DATA_ROWS = Code("110910", "DCM", "Pixel Data Rows")
PIXEL_DATA_COLUMNS = Code("110911", "DCM", "Pixel Data Columns")
PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
DEVICE = Code("121007", "DCM", "Device")
COMMENT = Code("121106", "DCM", "Comment")

PROCESSING_SUMMARY = Code("111017", "DCM", "CAD Processing and Findings Summary")
SUCCEEDED_WITHOUT_FINDINGS = Code("111241", "DCM", "All algorithms succeeded; without findings")
SUCCEEDED_WITH_FINDINGS = Code("111242", "DCM", "All algorithms succeeded; with findings")
"""CID 6047: how the processing ended; the first of the two is not the same as a normal study."""

ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
"""CID 7162, the algorithm family of TID 4019."""

CERTAINTY_OF_FINDING = Code("111012", "DCM", "Certainty of Finding")
"""0 % no certainty, 100 % certain: the calibrated probability of the finding in the study, CID 6048."""

PROBABILITY = Code("122157", "DCM", "Probability")
"""The probability of one region or image of the finding."""

SOURCE_IMAGE_FOR_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")
"""CID 7202: why a segmentation refers to an image."""

SEGMENTATION_DERIVATION = Code("113076", "DCM", "Segmentation")
"""CID 7203: how a segmentation came out of that image."""

PERCENT = Code("%", "UCUM", "Percent")
PIXELS = Code("{pixels}", "UCUM", "Pixels")
_UNITS: Mapping[str, Code] = {
    "mm": Code("mm", "UCUM", "millimeter"),
    "mL": Code("mL", "UCUM", "milliliter"),
}
"""The units of measurements, by their UCUM code; the code says what is meant, the meaning is for people."""

PRIORITY = Code("260870009", "SCT", "Priority")
"""The question that CID 7035 answers; no template names one of its own."""

ACTIONABLE: Mapping[Priority, Code] = {
    Priority.CRITICAL: Code("RID49480", "RADLEX", "ACR Category 1 Actionable Finding"),
    Priority.URGENT: Code("RID49481", "RADLEX", "ACR Category 2 Actionable Finding"),
    Priority.ROUTINE: Code("RID49482", "RADLEX", "ACR Category 3 Actionable Finding"),
}
"""CID 7035: within minutes, within hours, within days."""

MODALITIES: Mapping[str, Code] = {
    "CR": Code("CR", "DCM", "Computed Radiography"),
    "CT": Code("CT", "DCM", "Computed Tomography"),
    "DX": Code("DX", "DCM", "Digital Radiography"),
    "MG": Code("MG", "DCM", "Mammography"),
    "MR": Code("MR", "DCM", "Magnetic Resonance"),
    "PT": Code("PT", "DCM", "Positron emission tomography"),
    "US": Code("US", "DCM", "Ultrasound"),
}
"""CID 29, those that a model here may see; an image of another modality goes without this descriptor."""

IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")

PROCEDURES: Mapping[str, Code] = {
    "CR": Code("43468-8", "LN", "XR unspecified body region"),
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "DX": Code("43468-8", "LN", "XR unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
    "PT": Code("44136-0", "LN", "PET unspecified body region"),
}
"""CID 100 by modality; whatever is not listed is reported as `IMAGING_PROCEDURE`."""


def concept(code: findings.Code) -> CodedConcept:
    """Return a code of the clinical rules as highdicom takes it."""
    # Code Meaning is LO: 64 characters. The code value says what is meant; the meaning is for people.
    return CodedConcept(code.value, code.scheme, code.meaning[:64])


def unit(ucum: str) -> Code:
    """Return the unit of a measurement; one that has no words here is its own meaning. Source: PS3.16 CID 82."""
    return _UNITS.get(ucum, Code(ucum, "UCUM", ucum))
