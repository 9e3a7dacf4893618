"""The page, in a real browser, on a venue whose clock a test moves by hand."""

import hashlib
import hmac
import os
import re
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.page.routes import PAGE, PAGE_FILES
from qt_protections.rehearsal.server import RehearsalServer
from tests.patience import PATIENCE_S
from tests.rehearsal.stage import BTC, Stage

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
expect.set_options(timeout=PATIENCE_S * 1000)
MARKUP = '<img src=x onerror="document.title=1">'
STOP = {
    "symbol": BTC,
    "side": "SELL",
    "algoType": "CONDITIONAL",
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "99500",
    "reduceOnly": "true",
}
BUY = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser of this machine; it may only be missing where nobody relies on it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        missing = f"no browser here: none of {', '.join(BROWSERS)} is on the path"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


class House:
    """The exchange, and one client who trades on it."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.server = RehearsalServer(self.stage.venue)
        self._http = httpx.Client(base_url=self.server.url, verify=False, timeout=PATIENCE_S)  # noqa: S501  self-signed

    def send(self, path: str, method: str = "POST", **values: str) -> dict[str, Any]:
        """Send a signed request and return the answer."""
        query = urlencode({**values, "timestamp": str(self.stage.now_ms)})
        seal = hmac.new(API_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        answer: dict[str, Any] = self._http.request(
            method,
            f"/fapi/v1/{path}?{query}&signature={seal}",
            headers={"X-MBX-APIKEY": API_KEY},
        ).json()
        return answer

    def close(self) -> None:
        """End the exchange."""
        self._http.close()
        self.server.stop()


@pytest.fixture
def house() -> Iterator[House]:
    """An exchange that is open, and is closed in the end."""
    opened = House()
    opened.server.start()
    yield opened
    opened.close()


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    """The page, as the browser shows it; it must not have thrown anything in the end."""
    context = browser.new_context(ignore_https_errors=True)
    shown, thrown = context.new_page(), list[str]()
    shown.on("pageerror", lambda error: thrown.append(str(error)))
    shown.goto(house.server.url)
    yield shown
    context.close()
    assert thrown == []


def test_a_gap_appears_with_its_cause_and_is_closed(page: Page, house: House) -> None:
    """Naked, then covered: in the verdict, on the time line, in the tables."""
    expect(page.locator("#sentence")).to_have_text("No position yet")
    house.send("order", **BUY)
    house.stage.now_ms += 2500
    expect(page.locator("#sentence")).to_have_text("BTCUSDT LONG is naked now")
    expect(page.locator("#detail")).to_contain_text("2.50 s: opened before a stop was live")
    gap = page.locator(".gap")
    expect(gap).to_have_attribute("aria-label", re.compile("Naked for 2.50 s: opened before"))
    expect(page.locator("#positions td").last).to_have_text("! no stop")

    refused = house.send("algoOrder", **STOP | {"triggerPrice": "100500"})
    assert refused["code"] == -2021
    house.send("algoOrder", **STOP, clientAlgoId="the-stop")
    house.stage.now_ms += 1000
    expect(page.locator("#sentence")).to_have_text("A position stood naked for 2.50 s")
    expect(gap).to_have_attribute("aria-label", re.compile("Ended when a stop was accepted"))
    expect(gap).to_have_attribute("aria-label", re.compile("refused meanwhile: -2021"))
    expect(page.locator("#positions td").last).to_have_text("✓ 99,500.0 (0.50 % away)")
    expect(page.locator("#conditionals tbody tr")).to_contain_text("the-stop")
    expect(page.locator("#endpoints")).to_contain_text("POST /fapi/v1/algoOrder2")
    expect(page.locator("#minute-note")).to_contain_text("1 refused in all (HTTP 400)")
    gap.focus()
    expect(page.locator("#tip")).to_be_visible()
    expect(page.locator("#tip")).to_contain_text("Naked for 2.50 s")
    expect(page.locator(".mark.entry")).to_have_attribute("aria-label", re.compile("^Entry, 0.01"))


def test_what_clients_send_is_text(page: Page, house: House) -> None:
    """Markup in a request is shown, not obeyed."""
    house.send("algoOrder", **STOP | {"symbol": MARKUP})
    house.send("algoOrder", **STOP, clientAlgoId=MARKUP)
    expect(page.locator("#events")).to_contain_text(MARKUP)
    assert page.locator("img").count() == 0
    assert page.title() == "Rehearsal exchange"


def test_it_says_when_the_exchange_is_gone_and_comes_back(page: Page, house: House) -> None:
    """A page left open shows no old figures as if they were new."""
    closed = page.locator("#closed")
    expect(page.locator("#sentence")).to_have_text("No position yet")
    expect(closed).to_be_hidden()
    house.server.stop()
    expect(closed).to_contain_text("Exchange closed. Last seen at 12:00:00 UTC.")
    expect(page).to_have_title("closed · Rehearsal exchange")
    house.server = RehearsalServer(house.stage.venue, house.server.port)
    house.server.start()
    expect(closed).to_be_hidden()
    expect(page).to_have_title("Rehearsal exchange")


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits(browser: Browser, house: House, width: int) -> None:
    """Nothing but tables inside their frames is wider than the window, desk or phone."""
    house.send("algoOrder", **STOP)
    house.send("order", **BUY)
    size = {"width": width, "height": 800}
    context = browser.new_context(ignore_https_errors=True, viewport=size)
    shown = context.new_page()
    shown.goto(house.server.url)
    expect(shown.locator("#positions tbody tr")).to_have_count(1)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_every_file_of_the_page_is_served(house: House) -> None:
    """What lies in the folder is what the exchange serves; nothing is loaded from elsewhere."""
    served = {name for name, _ in PAGE_FILES.values()}
    assert served == {path.name for path in PAGE.iterdir()}
    for path, (name, media_type) in PAGE_FILES.items():
        answer = httpx.get(f"{house.server.url}{path}", verify=False, timeout=PATIENCE_S)  # noqa: S501  self-signed
        assert answer.content == (PAGE / name).read_bytes()
        assert answer.headers["content-type"].startswith(media_type)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.findall(r"""(?:src|href|from|url\()\s*=?\s*["']?https?:""", answer.text)
