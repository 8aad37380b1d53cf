"""Which writing requests count as coming from our own page."""

import pytest
from starlette.datastructures import Headers

from worklist.guard import is_own_page


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:8380"},
        {"origin": "http://127.0.0.1:8380", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin"},
        {"authorization": "Bearer abc"},
    ],
)
def test_our_page_and_programs_with_a_token_may_write(headers):
    assert is_own_page(Headers({"host": "127.0.0.1:8380", **headers}), https=False)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "https://127.0.0.1:8380"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8380", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"authorization": "Basic abc"},
    ],
)
def test_every_other_page_may_not_write(headers):
    assert not is_own_page(Headers({"host": "127.0.0.1:8380", **headers}), https=False)


def test_behind_https_only_the_https_page_may_write():
    headers = {"host": "acuity.example"}

    assert is_own_page(Headers({**headers, "origin": "https://acuity.example"}), https=True)
    assert not is_own_page(Headers({**headers, "origin": "http://acuity.example"}), https=True)
