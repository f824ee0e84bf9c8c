"""Every golden root message, measured on the page of the local Slack on a phone 360 px wide."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from slack_sdk.web.async_client import AsyncWebClient

from bot.alerts.decode import decode
from bot.local_slack.server import LocalSlack
from formatters.blockkit import blocks
from formatters.blockkit.mrkdwn import escape
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, card_budget, event_buttons
from formatters.posts.card_budget import Line, Style
from formatters.posts.channel_view import ChannelView
from tests.support.browser import new_page

GOLDEN = Path(__file__).parents[1] / "formatters" / "golden"
ROWS = """article => {
  const kinds = [];
  for (const block of article.querySelectorAll(".block")) {
    if (["image", "actions"].includes(block.dataset.block)) break;
    // Behind the foot stand the people, below the picture if there is one.
    if (kinds.some(([kind]) => kind === "context")) break;
    const middles = [];
    const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      for (const { top, bottom, width } of range.getClientRects()) {
        const middle = (top + bottom) / 2;
        if (width > 0 && !middles.some(known => Math.abs(known - middle) < 8)) middles.push(middle);
      }
    }
    kinds.push([block.dataset.block, middles.length]);
  }
  return kinds;
}"""
"""Return kind and number of rows of each block before the picture, the people and the buttons."""
HEADER, FOOT = "header", "context"


def golden_roots() -> dict[str, dict[str, Any]]:
    """Return the golden messages that are a channel's root message, by name."""
    messages = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in GOLDEN.glob("*.json")}
    return {
        name: message
        for name, message in sorted(messages.items())
        if event_buttons.TOGGLE_OBSERVER_ACTION in json.dumps(message)
    }


def real_roots(notices: Path) -> dict[str, dict[str, Any]]:
    """Return the root messages of all real notices, by file name."""
    found = {}
    for folder in ("real", "official", "mock"):
        for path in sorted((notices / folder).iterdir()):
            superevent = Superevent.from_notices([decode(path.read_bytes())])
            card = alert_card.alert_card(superevent, ChannelView(is_root=True))
            found[path.name] = {"text": card.text, "blocks": [dict(block) for block in card.blocks]}
    return found


async def measure(browser: Browser, cards: dict[str, dict[str, Any]]) -> dict[str, list[tuple[str, int]]]:
    """Return the rows of each card's blocks before its picture."""
    complaints: list[str] = []
    measured = {}
    async with LocalSlack(limits=False) as local_slack:
        channel = local_slack.add_channel("gw")
        client = AsyncWebClient(local_slack.bot_token, base_url=local_slack.api_url)
        page: Page = await new_page(browser, "narrow", complaints)
        await page.goto(f"{local_slack.url}/#gw")
        articles = page.locator("article")
        for number, (name, card) in enumerate(cards.items(), start=1):
            await client.chat_postMessage(channel=channel, text=card["text"], blocks=card["blocks"])
            await expect(articles).to_have_count(number)
            measured[name] = await articles.last.evaluate(ROWS)
    assert complaints == []
    return measured


def facts(card: dict[str, Any]) -> int:
    """Return the number of lines between the header and the foot; mentions stand before the header."""
    kinds = [block["type"] for block in card["blocks"]]
    between = card["blocks"][kinds.index(HEADER) + 1 : kinds.index(FOOT)]
    return sum(len(block["text"]["text"].split("\n")) for block in between if block["type"] == "section")


def assert_within_budget(cards: dict[str, dict[str, Any]], measured: dict[str, Any]) -> None:
    # A mention stands before the header in the first post only, and the picture comes with an edit.
    rows = {
        name: sum(count for _, count in found[[kind for kind, _ in found].index(HEADER) :])
        for name, found in measured.items()
    }
    assert all(count > 0 for found in measured.values() for _, count in found), "something wasn't drawn"
    assert {name: n for name, n in rows.items() if n > card_budget.MAX_ROWS} == {}
    lines = {name: facts(card) for name, card in cards.items()}
    assert {name: n for name, n in lines.items() if n > card_budget.MAX_FACT_LINES} == {}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is asked directly."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.timeout(300)
async def test_every_golden_root_keeps_the_budget_on_the_narrowest_phone(browser: Browser) -> None:
    cards = golden_roots()
    assert len(cards) >= 20
    assert_within_budget(cards, await measure(browser, cards))


@pytest.mark.timeout(300)
async def test_every_real_notices_root_keeps_the_budget(browser: Browser, shared_notices: Path) -> None:
    cards = real_roots(shared_notices)
    assert_within_budget(
        {name: card for name, card in cards.items() if "context" in str(card["blocks"])},
        await measure(browser, cards),
    )
    # What acts on is on the card, not only in its details.
    assert "within 45° of the Sun" in str(cards["S231030av.json"])
    assert "within 45° of the Sun" in str(cards["S241125n-UPDATE-RAVEN.json"])


TEXT = (
    "BNS 95\u00a0% · If astrophysical: HasRemnant near 14h25 \u221220° 1,957\u00a0deg² joint FAR 1 per"
    " 350,000\u00a0yr Swift/BAT sub-threshold candidate (trigger <1\u00a0% peak merger UTC, +12\u00a0min"
    " 75481931117321100223344556677889900112233445566778899"
)


@pytest.mark.timeout(300)
async def test_no_line_takes_more_rows_than_estimated(browser: Browser) -> None:
    choose = random.Random(11)
    texts = [" ".join(choose.choices(TEXT.split(" "), k=choose.randint(1, 24))) for _ in range(120)]
    styles = {Style.PLAIN: "{}", Style.BOLD: "*{}*"}
    cards, estimated = {}, {}
    for style, pattern in styles.items():
        for start in range(0, len(texts), 40):
            part = texts[start : start + 40]
            name = f"{style.name}-{start}"
            shown = [blocks.section(pattern.format(escape(text))) for text in part]
            cards[name] = {"text": name, "blocks": shown}
            estimated[name] = [card_budget.rows(Line(parts=(text,), style=style)) for text in part]
    measured = await measure(browser, cards)
    too_few = [
        (texts[int(name.partition("-")[2]) + index], rows, estimated[name][index])
        for name, found in measured.items()
        for index, (_, rows) in enumerate(found)
        if rows > estimated[name][index]
    ]
    assert too_few == []
