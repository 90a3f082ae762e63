"""The page in a real browser: Debian's chromium, driven by Playwright. Nothing but this machine is asked."""

import re
import shutil
import signal
import subprocess
import sys
import warnings

import cv2
import numpy as np
import pytest
from skimage import data

from tfface import images, provenance

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT = 240_000  # milliseconds for one thing to happen


@pytest.fixture(scope="module")
def address(trained_run):
    """The page of the tiny GANimation, in a process of its own."""
    pytest.importorskip("gradio", reason="tfface demo needs the demo extra")
    command = [sys.executable, "-m", "tfface", "demo", str(trained_run.path), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r" at (http://\S+)", line):
            break
    else:
        pytest.fail(f"the page did not start: {said}")
    yield found[1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()


@pytest.fixture
def page(address):
    if not CHROMIUM:
        warnings.warn("THE PAGE OF tfface demo IS NOT TESTED: no chromium here; apt-get install chromium", stacklevel=1)
        pytest.skip("no chromium: the page of tfface demo is not tested")
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1200, "height": 1000})
        opened.set_default_timeout(WAIT)
        opened.asked = []
        opened.on("request", lambda request: opened.asked.append(request.url))
        opened.goto(address)
        opened.wait_for_selector("#photo input[type=file]", state="attached")
        yield opened
        browser.close()


@pytest.fixture
def portrait():
    return data.astronaut()[:260, 90:360]


def says(page, text):
    page.wait_for_function("text => document.querySelector('#said')?.innerText.includes(text)", arg=text)


def test_photo_in_slider_moved_edited_picture_out(page, address, portrait, tmp_path):
    images.write_image(tmp_path / "photo.png", portrait)
    page.set_input_files("#photo input[type=file]", tmp_path / "photo.png")
    says(page, "One face.")
    page.fill("#set-AU12 input[type=number]", "0.9")
    page.press("#set-AU12 input[type=number]", "Enter")
    page.click("#edit")
    says(page, "AU12=0.9")
    with page.expect_download() as waiting:
        page.click("#picture")
    waiting.value.save_as(tmp_path / "result.png")
    edited = images.read_image(tmp_path / "result.png")
    changed = (edited != portrait).any(-1)
    assert edited.shape == portrait.shape and 0.01 < changed.mean() < 0.9
    assert "AU12=0.9" in provenance.read(tmp_path / "result.png").edit
    before, after = (picture(page, place) for place in (0, 1))
    assert before.shape == after.shape and (before != after).any()
    page.click("#choice-surprised")
    says(page, "AU26=0.8")
    page.click("#animate")
    page.wait_for_selector("#gif img")
    host = address.split("/")[2]
    assert {url.split("/")[2] for url in page.asked if url.startswith("http")} == {host}


def test_what_is_wrong_is_said_on_the_page(page, tmp_path):
    images.write_image(tmp_path / "wall.png", np.full((200, 200, 3), 128, np.uint8))
    page.set_input_files("#photo input[type=file]", tmp_path / "wall.png")
    page.wait_for_selector("text=no face found")


def picture(page, place):
    """Returns a picture of the before-and-after slider as the browser got it."""
    page.wait_for_function("document.querySelectorAll('#result img').length > 1")
    source = page.eval_on_selector_all("#result img", "(all, place) => all[place].src", place)
    return cv2.imdecode(np.frombuffer(page.request.get(source).body(), np.uint8), cv2.IMREAD_COLOR)
