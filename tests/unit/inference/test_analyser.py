"""Steps 4 to 6: the files of a series become findings, or a reason."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from inference.analyser import BundleAnalyser
from inference.runtime import ProviderPolicy
from models.bundle import Bundle
from models.integrity import digest_of, file_digests
from triage.errors import InvalidBundle, InvalidGeometry, UnsupportedPixels
from triage.findings import ModelIdentity
from triage.identifiers import SeriesInstanceUid, Sha256, SopInstanceUid
from triage.study import ImageHeader, Series, SeriesHeader, StoredFile


@pytest.fixture
def bundle(tmp_path, write_network, head_spec):
    folder = tmp_path / "bundles" / head_spec.name
    path = write_network(folder / "models" / "model.onnx")
    return as_it_is_now(Bundle(folder, head_spec, ModelIdentity(head_spec.name, head_spec.version, ""), path, ()))


def as_it_is_now(bundle):
    files = file_digests(bundle.folder)
    return replace(bundle, identity=replace(bundle.identity, digest=digest_of(files)), files=files)


@pytest.fixture
def analyser(bundle):
    return BundleAnalyser([bundle], ProviderPolicy.CPU_ONLY, threads=1)


@pytest.fixture
def write_series(write_image):
    def write(values_hu, between_slices=10.0):
        paths = [
            write_image(plane.astype(np.int16), ImagePositionPatient=[0.0, 0.0, index * between_slices])
            for index, plane in enumerate(values_hu)
        ]
        images = tuple(ImageHeader(SopInstanceUid(path.stem), "1.2.840.10008.5.1.4.1.1.2") for path in paths)
        files = tuple(StoredFile(Sha256("0" * 64), 1, str(path), "1.2.840.10008.1.2.1") for path in paths)
        return Series(SeriesHeader(SeriesInstanceUid("1.2.3"), modality="CT"), "", images, files)

    return write


def test_a_head_is_analysed_and_every_image_has_its_score(analyser, bundle, write_series, head_hu):
    series = write_series(head_hu)

    analysis = analyser.analyse(bundle.identity, series)

    assert (analysis.model, analysis.series_instance_uid) == (bundle.identity, "1.2.3")
    assert (analysis.out_of_scope, analysis.quality) == (None, ())
    assert analysis.provider == "CPUExecutionProvider"
    (finding,) = analysis.findings
    assert [score.sop_instance_uid for score in finding.image_scores] == [one.sop_instance_uid for one in series.images]
    assert 0 < finding.probability < 1


def test_the_same_series_gives_the_same_answer(analyser, bundle, write_series, head_hu):
    series = write_series(head_hu)

    assert analyser.analyse(bundle.identity, series).findings == analyser.analyse(bundle.identity, series).findings


def test_a_live_series_and_a_volume_for_validation_give_the_same_findings(
    analyser, bundle, write_series, make_volume, head_hu
):
    live = analyser.analyse(bundle.identity, write_series(head_hu)).findings[0]
    validated = analyser.analyse_volume(bundle, make_volume(head_hu)).findings[0]

    assert validated.probability == live.probability
    assert [score.probability for score in validated.image_scores] == [score.probability for score in live.image_scores]


def test_images_out_of_scope_say_why_and_nothing_runs(analyser, bundle, write_series, head_hu):
    analysis = analyser.analyse(bundle.identity, write_series(np.full_like(head_hu, 0)))

    assert analysis.out_of_scope == "every pixel has the value 0"
    assert (analysis.findings, analysis.provider) == ((), "")


def test_what_quality_notices_stands_in_the_analysis(analyser, bundle, write_series, head_hu):
    analysis = analyser.analyse(bundle.identity, write_series(head_hu, between_slices=12.0))

    assert analysis.quality == ("slices 12.0 mm apart, usually 0.5 to 10.0",)
    assert analysis.findings


def test_an_irregular_series_is_an_error_and_not_an_answer(analyser, bundle, write_series, head_hu):
    series = write_series(head_hu)
    gap = replace(series, images=series.images[:5] + series.images[6:], files=series.files[:5] + series.files[6:])

    with pytest.raises(InvalidGeometry, match="apart among slices"):
        analyser.analyse(bundle.identity, gap)


def test_a_damaged_image_is_an_error_and_not_an_answer(analyser, bundle, write_series, write_image, head_hu):
    series = write_series(head_hu)
    broken = write_image(np.zeros((96, 96), np.int16), PixelData=b"\0\0", ImagePositionPatient=[0.0, 0.0, 0.0])
    damaged = replace(series, files=(replace(series.files[0], path=str(broken)), *series.files[1:]))

    with pytest.raises(UnsupportedPixels, match=broken.stem):
        analyser.analyse(bundle.identity, damaged)


def test_the_stages_are_timed_by_the_clock_it_was_given(bundle, write_series, head_hu):
    ticks = count()
    analyser = BundleAnalyser([bundle], ProviderPolicy.CPU_ONLY, threads=1, seconds=lambda: float(next(ticks)))

    seconds = analyser.analyse(bundle.identity, write_series(head_hu)).seconds

    # It is asked four times: at the start, before and after inference, and at the end.
    assert (seconds.reading, seconds.inference) == (2.0, 1.0)


def test_offers_say_what_each_model_may_see_and_looks_for(analyser, bundle):
    (offer,) = analyser.offers()

    assert (offer.identity, offer.acceptance) == (bundle.identity, bundle.spec.accepts)
    assert offer.looks_for == "intracranial haemorrhage"


def test_a_model_that_is_not_in_service_is_refused(analyser, write_series, head_hu):
    other = ModelIdentity("other", "1.0.0", "f" * 64)

    with pytest.raises(InvalidBundle, match=r"other 1\.0\.0 \(ffffffffffff\): not in service, which has tiny_head"):
        analyser.analyse(other, write_series(head_hu))


def test_warming_up_finds_a_network_that_does_not_fit(bundle, write_network):
    write_network(bundle.onnx_path, channels=2)

    with pytest.raises(InvalidBundle, match="needed tensor"):
        BundleAnalyser([as_it_is_now(bundle)], ProviderPolicy.CPU_ONLY, threads=1).warm_up()


def test_weights_that_changed_after_they_were_digested_never_run(analyser, bundle, write_network):
    write_network(bundle.onnx_path, divide_by=2.0)

    with pytest.raises(InvalidBundle, match=r"tiny_head/models/model.onnx: SHA-256 .*, needed "):
        analyser.warm_up()


def test_a_network_is_loaded_once(analyser, bundle, write_series, head_hu):
    analyser.warm_up()
    bundle.onnx_path.unlink()

    assert analyser.analyse(bundle.identity, write_series(head_hu)).findings


def test_a_model_comes_into_service_and_goes_out_of_it(bundle, write_series, head_hu):
    analyser = BundleAnalyser([], ProviderPolicy.CPU_ONLY, threads=1)
    series = write_series(head_hu)

    analyser.put_in_service(bundle)
    answered = analyser.analyse(bundle.identity, series)
    analyser.keep_only([bundle.identity])
    kept = analyser.offers()
    analyser.keep_only([])

    assert answered.findings
    assert [offer.identity for offer in kept] == [bundle.identity]
    with pytest.raises(InvalidBundle, match="not in service, which has none"):
        analyser.analyse(bundle.identity, series)
