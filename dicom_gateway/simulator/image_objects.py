"""Phantoms as DICOM images: CT, MR, US and DX objects that a strict reader accepts; the truth about them stays out."""

from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from dicom_gateway.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_gateway.simulator.orders import Order
from dicom_gateway.simulator.phantoms import Phantom
from dicom_gateway.simulator.scanners import Scanner

CT_INTERCEPT_HU = -1024
BEAM_KV = 120
EXPOSURE_MS = 1000
CINE_FRAMES = 20
CINE_FRAME_MS = 50
SWEEP_PIXELS = 24


def image_objects(order: Order, scanner: Scanner, phantom: Phantom, with_scout: bool = False) -> tuple[Dataset, ...]:
    """Return the images of one study in the order in which the scanner sends them.

    Args:
        order: the study and its patient.
        scanner: who makes the images.
        phantom: what they show.
        with_scout: send a lateral scout in a series of its own first (CT only).
    """
    make = {"CT": _ct_image, "MR": _mr_image, "US": _us_image, "DX": _dx_image}[scanner.modality]
    slices = range(len(phantom.pixels))
    indices = reversed(slices) if scanner.cranial_first else slices
    images = [make(order, scanner, phantom, index, number) for number, index in enumerate(indices, start=1)]
    if scanner.modality == "US":
        images.append(_us_cine(order, scanner, phantom))
    return (_scout(order, scanner, phantom), *images) if with_scout else tuple(images)


def _ct_image(order: Order, scanner: Scanner, phantom: Phantom, index: int, number: int) -> Dataset:
    image = _image(order, scanner, CTImageStorage, series=2, number=number)
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    _place_slice(image, scanner, phantom, index)
    image.FrameOfReferenceUID = order.uid("frame of reference")
    image.ConvolutionKernel = scanner.kernel
    image.GantryDetectorTilt = scanner.tilt_degrees
    _describe_ct(image, scanner)
    _store_hounsfield(image, phantom.pixels[index], scanner.signed_pixels)
    image.WindowCenter, image.WindowWidth = 40, 80
    return image


def _describe_ct(image: Dataset, scanner: Scanner) -> None:
    image.PositionReferenceIndicator = ""
    image.KVP = BEAM_KV
    image.ExposureTime = EXPOSURE_MS
    image.Exposure = round(scanner.exposure_mas)
    image.XRayTubeCurrent = round(scanner.exposure_mas * 1000 / EXPOSURE_MS)
    image.AcquisitionNumber = 1
    image.PatientPosition = "HFS"


def _store_hounsfield(image: Dataset, pixels_hu: NDArray[np.float32], signed: bool) -> None:
    intercept = 0 if signed else CT_INTERCEPT_HU
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = intercept, 1, "HU"
    stored = np.clip(np.round(pixels_hu), -1024, 3071) - intercept
    _store(image, stored.astype("<i2" if signed else "<u2"), bits_stored=16 if signed else 12)


def _scout(order: Order, scanner: Scanner, phantom: Phantom) -> Dataset:
    """Return the lateral scout: mean CT numbers along the left-right axis, 1 mm high rows from the vertex down."""
    image = _image(order, scanner, CTImageStorage, series=1, number=1)
    between_slices, between_rows, _ = phantom.spacing_mm
    image.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    image.SeriesDescription = "Scout lateral"
    lines = max(1, round(between_slices))
    top_mm = (len(phantom.pixels) - 1) / 2 * between_slices + (lines - 1) / 2
    image.ImagePositionPatient = _decimals(0.0, -_half(phantom.pixels.shape[1]) * between_rows, top_mm)
    image.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    image.PixelSpacing = _decimals(between_slices / lines, between_rows)
    image.SliceThickness = None
    image.FrameOfReferenceUID = order.uid("frame of reference")
    _describe_ct(image, scanner)
    flat = np.repeat(phantom.pixels.mean(axis=2)[::-1], lines, axis=0)
    _store_hounsfield(image, flat, scanner.signed_pixels)
    # A projection has no CT numbers, whatever scale it is stored in.
    image.RescaleType = "US"
    image.WindowCenter, image.WindowWidth = -400, 1200
    return image


def _mr_image(order: Order, scanner: Scanner, phantom: Phantom, index: int, number: int) -> Dataset:
    image = _image(order, scanner, MRImageStorage, series=2, number=number)
    image.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    _place_slice(image, scanner, phantom, index)
    image.FrameOfReferenceUID = order.uid("frame of reference")
    image.PositionReferenceIndicator = ""
    image.PatientPosition = "HFS"
    image.ScanningSequence, image.SequenceVariant, image.ScanOptions = ["SE", "IR"], "SK", ""
    image.MRAcquisitionType = "2D"
    image.RepetitionTime, image.EchoTime, image.InversionTime = 9000, 110, 2500
    image.EchoTrainLength = 16
    image.MagneticFieldStrength = 3 if "3T" in scanner.model else 1.5
    image.ImagedNucleus = "1H"
    image.AcquisitionNumber = 1
    _store(image, np.round(phantom.pixels[index]).astype("<u2"), bits_stored=12)
    image.WindowCenter, image.WindowWidth = 400, 800
    return image


def _us_image(order: Order, scanner: Scanner, phantom: Phantom, index: int, number: int) -> Dataset:
    image = _image(order, scanner, UltrasoundImageStorage, series=1, number=number)
    _describe_us(image, order, phantom)
    _store(image, np.round(phantom.pixels[index]).astype("u1"), bits_stored=8)
    return image


def _us_cine(order: Order, scanner: Scanner, phantom: Phantom) -> Dataset:
    """Return a clip of the first plane over which the probe slides to and fro once.

    Source: PS3.3 A.7 (Ultrasound Multi-frame Image), C.7.6.5 (cine), C.7.6.6 (multi-frame).
    """
    image = _image(order, scanner, UltrasoundMultiFrameImageStorage, series=2, number=1)
    image.SeriesDescription = f"{scanner.series_description} cine"
    _describe_us(image, order, phantom)
    plane = np.round(phantom.pixels[0]).astype("u1")
    wide = np.pad(plane, ((0, 0), (SWEEP_PIXELS, SWEEP_PIXELS)), mode="reflect")
    shifts = (
        np.round(SWEEP_PIXELS * np.sin(2 * np.pi * np.arange(CINE_FRAMES) / CINE_FRAMES)).astype(int) + SWEEP_PIXELS
    )
    _store(image, plane, bits_stored=8)
    image.PixelData = b"".join(wide[:, start : start + plane.shape[1]].tobytes() for start in shifts)
    image.NumberOfFrames = CINE_FRAMES
    image.FrameTime = CINE_FRAME_MS
    image.FrameIncrementPointer = tag_for_keyword("FrameTime")
    return image


def _describe_us(image: Dataset, order: Order, phantom: Phantom) -> None:
    image.ImageType = ["ORIGINAL", "PRIMARY", "SMALL PARTS", "0001"]
    image.PatientOrientation = ""
    image.Laterality = "L" if int(order.accession_number[-1]) % 2 else "R"
    image.TransducerType = "LINEAR"
    image.LossyImageCompression = "00"
    rows, columns = phantom.pixels.shape[1:]
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = columns - 1, rows - 1
    # 3 is centimetres. Source: PS3.3 C.8.5.5.1.15.
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = phantom.spacing_mm[2] / 10, phantom.spacing_mm[1] / 10
    image.SequenceOfUltrasoundRegions = Sequence([region])


def _dx_image(order: Order, scanner: Scanner, phantom: Phantom, index: int, number: int) -> Dataset:
    image = _image(order, scanner, DigitalXRayImageStorageForPresentation, series=1, number=number)
    image.ImageType = ["ORIGINAL", "PRIMARY", ""]
    image.PresentationIntentType = "FOR PRESENTATION"
    image.PatientOrientation = ["L", "F"]
    image.ImageLaterality = "U"
    image.ViewPosition = "PA"
    image.AnatomicRegionSequence = Sequence([_code("816094009", "SCT", "Chest")])
    view = _code("272479007", "SCT", "postero-anterior")
    view.ViewModifierCodeSequence = Sequence([])
    image.ViewCodeSequence = Sequence([view])
    image.AcquisitionContextSequence = Sequence([])
    image.PositionerType = "NONE"
    image.DetectorType = "SCINTILLATOR"
    image.DetectorConfiguration = "AREA"
    image.DetectorID = f"{scanner.station_name}-1"
    image.KVP = BEAM_KV
    image.ImagerPixelSpacing = _decimals(*phantom.spacing_mm[1:])
    image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", -1
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "US"
    image.PresentationLUTShape = "IDENTITY"
    image.LossyImageCompression = "00"
    image.AcquisitionNumber = 1
    _store(image, np.round(phantom.pixels[index]).astype("<u2"), bits_stored=12)
    image.WindowCenter, image.WindowWidth = 1800, 3200
    return image


def _image(order: Order, scanner: Scanner, sop_class_uid: str, series: int, number: int) -> Dataset:
    """Return what all images have in common: patient, study, series, equipment and SOP."""
    image = Dataset()
    image.SOPClassUID = UID(sop_class_uid)
    image.SOPInstanceUID = UID(order.uid("instance", str(series), str(number)))
    image.file_meta = _file_meta(sop_class_uid, image.SOPInstanceUID)
    _write_order(image, order)
    when = order.started
    image.SeriesDate = image.ContentDate = image.AcquisitionDate = when.strftime("%Y%m%d")
    image.SeriesTime = image.ContentTime = image.AcquisitionTime = when.strftime("%H%M%S")
    image.Modality = scanner.modality
    image.SeriesInstanceUID = order.uid("series", str(series))
    image.SeriesNumber, image.InstanceNumber = series, number
    image.StudyDescription = scanner.study_description
    image.SeriesDescription = scanner.series_description
    image.ProtocolName = scanner.protocol
    image.BodyPartExamined = scanner.body_part
    image.Manufacturer, image.ManufacturerModelName = scanner.manufacturer, scanner.model
    image.StationName = scanner.station_name
    image.DeviceSerialNumber = f"SIM-{scanner.maker.upper()}-1"
    image.SoftwareVersions = scanner.software
    image.InstitutionName = "Acuity simulated hospital"
    image.BurnedInAnnotation = "YES" if scanner.logo else "NO"
    return image


def _write_order(image: Dataset, order: Order) -> None:
    image.SpecificCharacterSet = "ISO_IR 192"
    image.TimezoneOffsetFromUTC = "+0000"
    image.PatientName, image.PatientID = order.patient_name, order.patient_id
    image.PatientBirthDate = order.birth_date.strftime("%Y%m%d")
    image.PatientSex, image.PatientAge = order.sex, f"{order.age_years:03d}Y"
    image.StudyInstanceUID = order.study_instance_uid
    image.StudyDate, image.StudyTime = order.started.strftime("%Y%m%d"), order.started.strftime("%H%M%S")
    image.AccessionNumber, image.StudyID = order.accession_number, "1"
    image.ReferringPhysicianName = ""
    request = Dataset()
    request.AccessionNumber = order.accession_number
    request.RequestedProcedureID = request.ScheduledProcedureStepID = order.accession_number[-6:]
    if order.priority:
        request.RequestedProcedurePriority = order.priority
    image.RequestAttributesSequence = Sequence([request])


def _file_meta(sop_class_uid: str, sop_instance_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class_uid), UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _place_slice(image: Dataset, scanner: Scanner, phantom: Phantom, index: int) -> None:
    """Write where slice `index`, counted from the lowest, lies: the volume's centre is the origin.

    With a tilt the whole stack turns about the left-right axis. Source: PS3.3 C.7.6.2.1.1.
    """
    between_slices, between_rows, between_columns = phantom.spacing_mm
    slices, rows, columns = phantom.pixels.shape
    tilt = radians(scanner.tilt_degrees)
    back, up = -_half(rows) * between_rows, (index - _half(slices)) * between_slices
    image.ImagePositionPatient = _decimals(
        -_half(columns) * between_columns,
        back * cos(tilt) - up * sin(tilt),
        back * sin(tilt) + up * cos(tilt),
    )
    image.ImageOrientationPatient = _decimals(1.0, 0.0, 0.0, 0.0, cos(tilt), sin(tilt))
    image.PixelSpacing = _decimals(between_rows, between_columns)
    image.SliceThickness = between_slices
    image.SpacingBetweenSlices = between_slices


def _half(count: int) -> float:
    return (count - 1) / 2


def _decimals(*numbers: float) -> list[str]:
    """Return decimal strings of at most 16 characters (PS3.5 table 6.2-1), exact to a thousandth of a micrometre."""
    # Adding zero turns a negative zero into a plain one.
    return [f"{round(number, 6) + 0.0:.6f}".rstrip("0").rstrip(".") for number in numbers]


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _store(image: Dataset, stored: NDArray[np.generic], bits_stored: int) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = stored.shape
    image.BitsAllocated = stored.dtype.itemsize * 8
    image.BitsStored, image.HighBit = bits_stored, bits_stored - 1
    image.PixelRepresentation = int(stored.dtype.kind == "i")
    image.PixelData = stored.tobytes()
    image["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
