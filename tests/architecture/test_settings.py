"""Every setting says what it is for."""

from pydantic import BaseModel, Field

from tests.architecture.settings_tree import Setting, all_settings
from tests.architecture.source_tree import require_none


def test_every_setting_has_one_line_of_documentation():
    require_none(undescribed(all_settings()))


def test_the_check_sees_a_setting_without_a_line_and_one_with_two():
    class Inner(BaseModel):
        bare: int = 1
        long: int = Field(2, description="first\nsecond")
        fine: int = Field(3, description="gigabytes kept free")

    class Outer(BaseModel):
        inner: Inner = Inner()
        many: tuple[Inner, ...] = ()

    assert undescribed(all_settings(Outer)) == [
        "inner.bare: no description",
        "inner.long: more than one line",
        "[[many]].bare: no description",
        "[[many]].long: more than one line",
    ]


def test_a_setting_is_listed_with_its_place_and_its_default():
    assert Setting("dicom.port", "11112", "port to listen on; 0 takes a free one") in all_settings()


def undescribed(settings):
    missing = [f"{one.name}: no description" for one in settings if not one.description.strip()]
    long = [f"{one.name}: more than one line" for one in settings if "\n" in one.description]
    return sorted(missing + long, key=lambda line: [one.name for one in settings].index(line.split(":")[0]))
