"""Stills: each image stands for itself, the most suspicious one speaks, and what is unlike the training is left out."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom.uid import UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

from inference.analyser import BundleAnalyser
from inference.masks import unpacked
from inference.runtime import ProviderPolicy
from models.bundle import Bundle
from models.integrity import bundle_digest, file_digests
from models.triage_spec import Preparation, Segmentation
from triage.errors import InvalidGeometry
from triage.findings import Code, ModelIdentity
from triage.identifiers import SeriesInstanceUid, Sha256, SopInstanceUid
from triage.selection import Acceptance
from triage.study import ImageHeader, Series, SeriesHeader, StoredFile

BREAST = {"Modality": "US", "SOPClassUID": UltrasoundImageStorage}
UNPLACED = {"ImageOrientationPatient": None, "ImagePositionPatient": None, "FrameOfReferenceUID": None}
UNSCALED = {"RescaleSlope": None, "RescaleIntercept": None}


@pytest.fixture
def spec(head_spec):
    return replace(
        head_spec,
        accepts=Acceptance(("US",), stills=True),
        preparation=Preparation("stored", (0.0, 255.0), 128.0, 64.0, "none", 32, 32, ("this",), 0.0),
        segmentation=Segmentation(0.5, 0.0, Code("52988006", "SCT", "Lesion")),
    )


@pytest.fixture
def analyse(tmp_path, write_network, write_image):
    """Return a function that analyses images of one series with a network that answers their brightness."""

    def run(spec, *images, **attributes):
        folder = tmp_path / "bundles" / spec.name
        path = write_network(folder / "models/model.onnx", channels=1, novelty=spec.novelty_limit is not None)
        identity = ModelIdentity(spec.name, spec.version, bundle_digest(folder))
        analyser = BundleAnalyser(
            [Bundle(folder, spec, identity, path, file_digests(folder))], ProviderPolicy.CPU_ONLY, threads=1
        )
        paths = [write_image(image, **BREAST | UNPLACED | UNSCALED | attributes) for image in images]
        headers = tuple(ImageHeader(SopInstanceUid(path.stem), UltrasoundImageStorage) for path in paths)
        files = tuple(StoredFile(Sha256("0" * 64), 1, str(path), "1.2.840.10008.1.2.1") for path in paths)
        series = Series(SeriesHeader(SeriesInstanceUid("1.2.3"), modality="US"), "", headers, files)
        return analyser.analyse(identity, series), [path.stem for path in paths]

    return run


def still(level, rows=40, columns=60):
    """An image of even brightness but for one darker pixel: the quality check refuses images that are one value."""
    image = np.full((rows, columns), level, dtype=np.uint8)
    image[0, 0] -= 9
    return image


def test_stills_of_different_sizes_are_analysed_and_the_most_suspicious_speaks(analyse, spec):
    analysis, uids = analyse(spec, still(150), still(220, 50, 50), still(90))

    (finding,) = analysis.findings
    assert [score.sop_instance_uid for score in finding.image_scores] == uids
    assert finding.probability == max(score.probability for score in finding.image_scores)
    assert finding.probability == finding.image_scores[1].probability
    assert finding.regions[0].sop_instance_uid == uids[1]


def test_images_of_different_sizes_are_still_no_volume(analyse, spec):
    with pytest.raises(InvalidGeometry, match="2 matrices"):
        analyse(replace(spec, accepts=Acceptance(("US",))), still(150), still(220, 50, 50))


def test_masks_have_the_size_of_their_images_and_follow_the_map(analyse, spec):
    image = still(30, 40, 60)
    image[10:30, 20:50] = 250

    analysis, (uid,) = analyse(spec, image)

    (mask,) = analysis.findings[0].masks
    assert (mask.sop_instance_uid, analysis.findings[0].segmented) == (uid, spec.segmentation.code)
    found = unpacked(mask)
    assert found.shape == image.shape
    overlap = 2 * (found & (image > 128)).sum() / (found.sum() + (image > 128).sum())
    assert overlap > 0.9


def test_every_frame_of_a_clip_has_a_score(analyse, spec):
    clip = np.stack([still(level) for level in (100, 180, 240)])

    analysis, (uid,) = analyse(spec, clip, NumberOfFrames=3, SOPClassUID=UltrasoundMultiFrameImageStorage)

    scores = analysis.findings[0].image_scores
    assert [(score.sop_instance_uid, score.frame_number) for score in scores] == [(uid, 1), (uid, 2), (uid, 3)]
    assert [score.probability for score in scores] == sorted(score.probability for score in scores)


def test_a_still_unlike_the_training_set_is_left_out_and_the_others_answer(analyse, spec):
    analysis, uids = analyse(replace(spec, novelty_limit=1.0), still(150, 50, 50), still(250, 50, 50))

    assert [score.sop_instance_uid for score in analysis.findings[0].image_scores] == uids[:1]
    assert analysis.out_of_scope is None
    assert "left out: unlike the images the model was trained on (novelty 1.9, at most 1.0)" in analysis.quality


def test_with_every_still_unlike_the_training_set_the_model_does_not_answer(analyse, spec):
    analysis, _ = analyse(replace(spec, novelty_limit=1.0), still(250, 50, 50), still(251, 50, 50))

    assert analysis.out_of_scope == "unlike the images the model was trained on (novelty 1.9, at most 1.0)"
    assert analysis.findings == ()
    assert analysis.novelty == pytest.approx(1.9, abs=0.05)  # stored with the answer, for drift
    assert analysis.embedding  # of a refused study too


def test_colour_doppler_is_refused_and_a_small_coloured_mark_is_not(analyse, spec):
    doppler = np.repeat(still(120)[:, :, None], 3, axis=2)
    doppler[5:20, 5:30] = (220, 40, 20)
    marked = np.repeat(still(120)[:, :, None], 3, axis=2)
    marked[2:5, 2:8] = (20, 200, 20)
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}

    refused, _ = analyse(spec, doppler, Rows=40, Columns=60, **colour)
    answered, _ = analyse(spec, marked, Rows=40, Columns=60, **colour)

    assert refused.out_of_scope == "16% of the pixels in colour, as in Doppler and elastography: needed grey images"
    assert answered.out_of_scope is None
