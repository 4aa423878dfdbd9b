"""bench.html, in a browser and as text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.report.browser import Browser, find_browser


@pytest.fixture
def page(bench, submit, tmp_path):
    """The page of three methods, of which one is somebody's who tries what he can."""

    def hostile(found):
        entry = found["methods"].pop("hers")
        for key in ("class_path", "about", "link"):
            entry[key] = '"><script>document.title = 1</script>'
        entry["link"] = "javascript:document.title=2"
        entry["class_path"] = "antigravity.<img src=x onerror=alert(1)>"
        found["methods"]['hers"><b>'] = entry
        noise = entry["results"]["noise"]["denoising"]
        noise["default"] = {"unfit": "</td><script>document.title = 3</script>"}

    folders = submit("alice", {"dps": 20.0, "dsg": 21.0}), submit("eve", {"hers": 19.0}, hostile)
    assert bench("page", *folders, "--out", tmp_path / "page") == 0
    return tmp_path / "page" / "bench.html"


def test_nothing_of_a_submission_is_markup_or_a_script_or_is_imported(page):
    import sys

    text = page.read_text()
    assert text.count("<script>") == 1
    assert "javascript:" not in text
    assert "<img" not in text
    assert "antigravity" not in sys.modules
    assert not re.search(r'(src|href)="(?!#|https://arxiv\.org/)', text)
    assert len(text) < 200_000


@pytest.mark.skipif(find_browser() is None, reason="no Chromium here")
def test_in_a_browser_the_page_sorts_filters_and_opens_what_a_method_is_without_an_error_or_a_request(
    page: Path, tmp_path: Path
):
    executable = find_browser()
    assert executable is not None
    browser = Browser(executable, tmp_path / "profile")
    try:
        browser.open(page)
        rows = "[...document.querySelectorAll('#glance tbody tr:not([hidden])')]"
        shown = f"{rows}.map((row) => row.cells[0].querySelector('a').innerText)"
        assert browser.run(shown) == ["dsg", "dps", 'hers"><b>']
        browser.run("document.querySelector('#glance th button').focus()")
        browser.press("Enter")
        assert browser.run(shown) == ["dps", "dsg", 'hers"><b>']
        psnr = "document.querySelectorAll('#chapter-noise th button')[2]"
        browser.run(f"{psnr}.click()")
        names = "[...document.querySelectorAll('#chapter-noise tbody tr')].map((r) => r.dataset.method)"
        assert browser.run(names) == ["dps", "dsg", 'hers"><b>']  # what is missing stays last, both ways
        browser.run(f"{psnr}.click()")
        assert browser.run(names) == ["dsg", "dps", 'hers"><b>']
        browser.run("named.value = 'DP, her'; named.dispatchEvent(new Event('input'))")
        assert browser.run(shown) == ["dps", 'hers"><b>']
        assert browser.run("document.getElementById('shown').textContent") == "2 of 3 methods"
        browser.run("document.querySelector('input[value=holes]').click()")
        assert browser.run("document.getElementById('chapter-holes').hidden")
        columns = "[...document.querySelectorAll('#glance th:not([hidden])')].map((h) => h.innerText.trim())"
        assert "Noise" in browser.run(columns)
        assert "Holes" not in browser.run(columns)
        browser.run("document.querySelector('#glance tbody tr a').click()")
        assert browser.run("document.querySelector('#methods details[open]').dataset.method") == "dps"
        assert browser.complaints == []
        assert [address for address in browser.requests if not address.startswith("file:")] == []
        assert browser.run("document.title").startswith("Benchmark")
    finally:
        browser.close()
