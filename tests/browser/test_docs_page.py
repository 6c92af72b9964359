"""`/docs` in a real browser: nothing is refused by its content security policy, and a call made from it works."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from playwright.sync_api import expect, sync_playwright

# What keeps the browser from asking anybody but the demo.
ARGUMENTS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
LOOKS = [(scheme, size) for scheme in ("light", "dark") for size in SIZES]
DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())


def chromium():
    """The browser of the system; playwright's own would have to be downloaded."""
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return found
    pytest.fail("no Chromium: install Debian's package chromium, or name the program in CHROMIUM", pytrace=False)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # It sees this machine's own pages alone, and containers have no user name space to put a sandbox in.
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS, chromium_sandbox=False)
        yield browser
        browser.close()


class Page:
    """The page as somebody sees it, with all that the browser complained about."""

    def __init__(self, browser, demo, scheme="light", size="desktop"):
        width, height = SIZES[size]
        self.context = browser.new_context(
            ignore_https_errors=True, color_scheme=scheme, viewport={"width": width, "height": height}
        )
        self.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=demo.url)
        self.page = self.context.new_page()
        self.complaints, self.hosts = [], set()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(re.match(r"\w+:(//[^/]*)?", request.url)[0]))
        self.page.goto(f"{demo.url}/docs")
        expect(self.page.locator("article").first).to_be_visible()

    def expect_complaints(self, statuses):
        """Chromium itself complains about every answer from 400 on, and about nothing else."""
        assert [re.search(r"status of (\d+)", text)[1] for text in self.complaints] == statuses
        self.complaints.clear()

    def violations(self):
        """What axe finds hard to use without sight, mouse or full vision."""
        return Axe().run(self.page).response["violations"]

    def screenshot(self, name):
        folder = Path(os.environ.get("SCREENSHOTS", ROOT / "target" / "screenshots"))
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png")


@pytest.fixture
def opened(browser, demo):
    """Opens the page; in the end nobody may have complained, and nobody else been asked."""
    pages = []

    def open_page(**look):
        pages.append(Page(browser, demo, **look))
        return pages[-1]

    yield open_page
    for page in pages:
        page.context.close()
        assert page.complaints == []
        assert page.hosts <= {demo.url, "data:"}


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_every_operation_is_there_and_easy_to_read(opened, scheme, size):
    opened = opened(scheme=scheme, size=size)
    page = opened.page
    shown = [title.split() for title in page.locator("article h3").all_inner_texts()]
    assert sorted(path for _, path in shown) == sorted(DOCUMENT["paths"])
    for method, path in shown:
        name = path.split("/")[-1]
        assert method == DOCUMENT["paths"][path]["x-methods"][0]
        offered = page.locator(f"[id='{name}--method'] option").evaluate_all("all => all.map(one => one.value)")
        assert offered == DOCUMENT["paths"][path]["x-methods"]
        described = {parameter["name"] for parameter in DOCUMENT["paths"][path][method.lower()]["parameters"]}
        fields = page.locator(f"#{name} .parameter [name]").evaluate_all("all => all.map(one => one.name)")
        assert set(fields) == described
    opened.screenshot(f"docs-{scheme}-{size}")
    for summary in page.locator("summary").all():
        summary.click()
    for reason in ("not_a_maintainer", "group_not_empty", "overloaded"):
        expect(page.get_by_text(reason, exact=True).first).to_be_visible()
    assert opened.violations() == []
    widest = page.evaluate("document.documentElement.scrollWidth")
    assert widest <= SIZES[size][0], "nothing makes the page scroll sideways"


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_a_call_made_from_the_page_shows_the_answer(opened, demo, scheme, size):
    opened = opened(scheme=scheme, size=size)
    page, article = opened.page, opened.page.locator("#group-list")
    page.get_by_label("GitHub token").fill(demo.tokens["mona"])
    article.get_by_label("team").fill("platform")
    article.get_by_role("button", name="Send GET").click()
    expect(article.get_by_role("status")).to_contain_text("200 OK")
    answer = json.loads(article.get_by_role("region", name="Body of the answer").inner_text())
    assert answer["Response"]["repos"] == ["platform-api"]
    article.get_by_text("Headers of the answer").click()
    expect(article.get_by_role("row", name="x-request-id")).to_be_visible()
    expect(article.get_by_role("row", name="ratelimit-remaining")).to_be_visible()
    article.scroll_into_view_if_needed()
    opened.screenshot(f"call-{scheme}-{size}")
    assert opened.violations() == []


def test_the_curl_line_does_what_the_button_does_and_holds_no_token(opened, demo):
    opened = opened()
    page = opened.page
    page.get_by_label("GitHub token").fill(demo.tokens["hubot"])
    article = page.locator("#group-add")
    article.get_by_label("team").fill("payments")
    for place in ("the query", "a JSON object", "a form"):
        article.get_by_label("Parameters in").select_option(place)
        article.get_by_role("button", name="Copy").click()
        expect(article.get_by_role("button", name="Copied")).to_be_visible()
        line = page.evaluate("navigator.clipboard.readText()")
        assert "$TOKEN" in line and demo.tokens["hubot"] not in line
        environment = {**os.environ, "TOKEN": demo.tokens["hubot"], "CURL_CA_BUNDLE": demo.certificate}
        done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=True)
        by_curl = json.loads(done.stdout)
        # The first creates the group, the others find it there.
        assert by_curl["Code"] == (200 if place == "the query" else 409), by_curl
        with page.expect_response("**/group-add*") as seen:
            article.get_by_role("button", name="Send POST").click()
        assert seen.value.json()["Reason"] == "group_exists"
        expect(article.get_by_role("status")).to_contain_text("409 Conflict")
    opened.expect_complaints(["409"] * 3)


def test_the_keyboard_is_enough(opened, demo):
    page = opened().page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the operations")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("GitHub token")).to_be_focused()
    page.keyboard.type(demo.tokens["mona"])
    page.keyboard.press("Enter")
    page.get_by_role("link", name="runners-list").focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#runners-list")
    page.keyboard.press("Tab")
    article = page.locator("#runners-list")
    expect(article.get_by_label("team")).to_be_focused()
    page.keyboard.type("platform")
    page.keyboard.press("Enter")
    expect(article.get_by_role("status")).to_contain_text("200 OK")


def test_the_token_is_kept_nowhere(opened, demo):
    opened = opened()
    page, token = opened.page, demo.tokens["mona"]
    page.get_by_label("GitHub token").fill(token)
    article = page.locator("#status")
    article.get_by_role("button", name="Send GET").click()
    expect(article.get_by_role("status")).to_contain_text("200 OK")
    assert token not in page.content() and token not in page.url
    stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert stored == [0, 0, ""]
    page.reload()
    expect(page.locator("article").first).to_be_visible()
    expect(page.get_by_label("GitHub token")).to_have_value("")


def test_a_refusal_is_shown_as_one(opened, demo):
    opened = opened()
    page, article = opened.page, opened.page.locator("#group-delete")
    page.get_by_label("GitHub token").fill(demo.tokens["mona"])
    article.get_by_label("team", exact=True).fill("platform")
    article.get_by_role("button", name="Send DELETE").click()
    expect(article.get_by_role("status")).to_contain_text("409 Conflict")
    body = article.get_by_role("region", name="Body of the answer").inner_text()
    assert json.loads(body)["Reason"] == "group_not_empty"
    opened.expect_complaints(["409"])
