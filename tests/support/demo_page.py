"""Drives the demo page in a headless browser, as a person would, and photographs it.

    python -m tests.support.demo_page PHOTO --model saved_models/fesr_demo --output page.png

Wants `pip install playwright` and a Chromium or Chrome of the system (`chromium` in Debian).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import demo_app
from fesr_tf.client import Client
from pipelines.common.errors import BadUse, FailedWork, command

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60


@dataclass(frozen=True)
class Visit:
    """What a visitor saw: sentences, the first label, how many faces and people, addresses
    outside this machine that the page asked for, and errors in the browser's console."""

    said: str
    told: str
    invented: str
    label: str
    faces: int
    drawn: int
    people: int
    outside: list[str]
    errors: list[str]


def browser() -> str | None:
    """The system's browser, None where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def visit(address: str, photo: Path, picture: Path, expression: str, level: float) -> Visit:
    """Uploads a photograph, chooses an expression and an intensity, draws new people, and
    writes a picture of the whole page. Raises `FailedWork` where something does not appear."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise BadUse("driving the page takes playwright: pip install playwright") from None

    outside, errors = [], []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1280, "height": 1500})

        def follow(route) -> None:
            inside = route.request.url.startswith((address, "blob:", "data:"))
            if inside:
                route.continue_()
            else:
                outside.append(route.request.url)
                route.abort()

        page.route("**/*", follow)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#photograph input[type=file]", state="attached")
        page.set_input_files("#photograph input[type=file]", str(photo))
        text = lambda name: page.locator(f"#{name}").inner_text().strip()  # noqa: E731
        count = lambda name: page.locator(f"#{name} .grid-container img").count()  # noqa: E731
        _until(
            page, lambda: text("said") and "Drop a photograph" not in text("said"), "the photograph"
        )
        faces = "chosen" in text("said")
        if faces:
            _until(page, lambda: count("faces") > 0, "the faces")
            _until(page, lambda: page.locator("#shares h2").count() > 0, "the probabilities")
        page.locator("#expression input").click()
        page.get_by_role("option", name=expression, exact=True).click()
        page.locator("#intensity input[type=number]").fill(str(level))
        page.locator("#intensity input[type=number]").press("Enter")
        if faces:
            _until(page, lambda: "cannot" in text("told") or f"{expression} at {level:+.2f}"
                   in text("told"), "the drawn face")  # fmt: skip
        if page.locator("#invent").is_enabled():
            page.locator("#invent").click()
            _until(page, lambda: count("people") > 0, "new people")
        page.wait_for_function("[...document.images].every(each => each.complete)")
        # They fade in.
        page.wait_for_timeout(1500)
        page.screenshot(path=str(picture), full_page=True)
        named = page.locator("#shares [data-testid=label-output-value]").first
        seen = Visit(
            text("said"), text("told"), text("invented"),
            named.inner_text() if faces else "",
            count("faces"), count("drawn"), count("people"), outside, errors,
        )  # fmt: skip
        opened.close()
    return seen


def _until(page, true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _SECONDS
    while not true():
        if time.monotonic() > end:
            raise FailedWork(f"the page did not show {what} within {_SECONDS} s")
        page.wait_for_timeout(100)


@command
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.demo_page", description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("page.png"))
    parser.add_argument("--expression", default="happiness")
    parser.add_argument("--intensity", type=float, default=0.8)
    options = parser.parse_args(argv)
    if browser() is None:
        raise BadUse(f"no browser: install one of {', '.join(BROWSERS)}")
    with Client(model=options.model) as client:
        page = demo_app.build(client)
        address = demo_app.launch(page, None, wait=False)
        try:
            found = visit(address, options.photo, options.output, options.expression,
                          options.intensity)  # fmt: skip
        finally:
            page.close()
    for name, value in vars(found).items():
        print(f"{name:>9}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
