"""A picture of a built site: python docs/screenshot.py SITE PICTURE [WIDTH [light|dark [PAGE [HEIGHT]]]].

It is of the whole page, or of its first HEIGHT pixels.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright


def main(
    site: str,
    picture: str,
    width: str = "1440",
    scheme: str = "light",
    page_path: str = "index.html",
    height: str = "",
) -> None:
    chromium = shutil.which("chromium") or sys.exit("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": int(width), "height": int(height or 900)},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page.goto((Path(site) / page_path).resolve().as_uri())
        page.screenshot(path=picture, full_page=not height)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
