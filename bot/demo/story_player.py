"""The demo: an embedded broker, a local Slack, and the bot as `gwevent run` builds it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from bot.alerts.decode import decode
from bot.app.application import Application
from bot.app.factory import Factory, open_factory, utc_now
from bot.demo.galaxies import write_demo_catalogue
from bot.demo.kafka_broker import EmbeddedBroker, Publisher
from bot.demo.night import CHANNEL, COLLEAGUE, NOTIFY, SampleAct, create_demo_acts
from bot.demo.transcript import find_problems, is_card, print_channel, top_level_messages
from bot.demo.treasure_map import TOKEN, DemoTreasureMap
from bot.local_slack.app_manifest import GWEVENT, AppConfig
from bot.local_slack.server import LocalSlack
from bot.monitoring.rules import Thresholds
from bot.observing.ephemeris import sun_and_moon
from bot.samples import (
    CIRCULARS_TOPIC,
    DEMO_CRITERIA_SET,
    DEMO_GRADES,
    DEMO_MESSAGE_TOPICS,
    SampleMessage,
    SampleNotice,
    create_demo_messages,
    create_demo_notices,
    to_avro,
)
from bot.setting_types.catalogues import catalogue_folder
from bot.settings import Settings, SettingsError
from bot.sources.factory import create_sources
from formatters.models.notice import Category, category_from_id
from formatters.posts.event_buttons import ACKNOWLEDGE_ACTION
from formatters.text import quantities

TOPIC = "igwn.gwalert"
GROUP = "gwevent-demo"
TIMEOUT_S = 60.0
MAX_STORY_AGE = timedelta(hours=1)
"""The longest time before the present at which the story begins."""

CHANNEL_CRITERIA = {
    "gw-cbc": f"CBC streams circulars icecube criteria {DEMO_CRITERIA_SET} rubin-2026 {NOTIFY}",
    "gw-burst": "Burst streams nearby",
    "gw-mocks": f"all mock criteria {DEMO_CRITERIA_SET}",
}
"""Channel name -> its subscription: significant real binaries, bursts, or everything including mocks.

The messages of two of them say which grades the workspace's own criteria set and Rubin's strategy give. Two
have a Follow-up reply: what names the binary neutron star, and the gamma-ray burst near the transient. The
first one mentions people, and others where nobody answers.
"""

TELESCOPE = "La Palma fov 3.5deg circle exposure 3min overhead 1min"
"""The site of gw-cbc, with a field of view, so that `plan` answers there."""

_out = Console(highlight=False, soft_wrap=True)


class DemoFailed(RuntimeError):
    """Part of the story did not arrive. The text is one sentence."""


_LONG = timedelta(days=1)
THRESHOLDS = Thresholds(
    source_outage=_LONG,
    lag=_LONG,
    post_delay=_LONG,
    edit_delay=_LONG,
    slack_outage=_LONG,
    store_outage=_LONG,
    no_worker=_LONG,
)
"""Of incidents in the demo: none. Its clock passes minutes at once, so a moment's wait looks like one."""


class SimulatedClock:
    """The bot's clock in the demo: the story's hours pass in a minute, so that latencies look realistic."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the story's current time in UTC."""
        return utc_now() + self._ahead

    def set_time(self, at: datetime) -> None:
        """Set the clock."""
        self._ahead = at - utc_now()

    def advance_to(self, at: datetime) -> None:
        """Advance the clock, to the time at which a notice is sent or to now; never set it back."""
        self._ahead = max(self._ahead, at - utc_now())


Sample = SampleNotice | SampleMessage | SampleAct


@dataclass(frozen=True, slots=True)
class DemoEnvironment:
    """The running parts of the demo."""

    local_slack: LocalSlack
    broker: EmbeddedBroker
    application: Application
    factory: Factory
    clock: SimulatedClock
    channels: dict[str, str]
    """Channel name -> channel id."""
    story: list[Sample]
    """The messages that are published, in this order."""


async def serve(port: int) -> None:
    """Play the story slowly on the local Slack's page, then keep running until interrupted.

    Raises SettingsError if the port is in use.
    """
    _out.print("Starting a broker, a local Slack and the bot …")
    async with _demo_environment(port) as environment:
        _out.print(
            f"\nOpen [bold]{environment.local_slack.url}[/bold] in a browser, and type /gwevent MS181101ab, "
            "/gwevent criteria, or what else is offered below the messages."
        )
        _out.print("An hour passes in a minute, up to now. Ctrl-C ends it.\n")
        with _publishers(environment.broker) as publishers:
            await _play_slowly(environment, publishers)
        _out.print("\nThat was the story; the bot goes on answering. Ctrl-C ends it.")
        await asyncio.Event().wait()


def _create_story(now: datetime) -> list[Sample]:
    """Return the notices and the messages about them in the order of publishing."""
    notices = create_demo_notices(now)
    story: list[Sample] = [*notices, *create_demo_messages(notices), *create_demo_acts(notices)]
    return sorted(story, key=_time_of)


def _time_of(sample: Sample) -> datetime:
    if isinstance(sample, SampleMessage | SampleAct):
        return sample.sent
    return datetime.fromisoformat(str(sample.record["time_created"]))


@contextmanager
def _publishers(broker: EmbeddedBroker) -> Iterator[dict[str, Publisher]]:
    """Yield a publisher for each topic of the story."""
    with ExitStack() as stack:
        yield {
            topic: stack.enter_context(Publisher(broker.url(topic)))
            for topic in (TOPIC, *DEMO_MESSAGE_TOPICS)
        }


async def _play_slowly(environment: DemoEnvironment, publishers: Mapping[str, Publisher]) -> None:
    """Publish the story with its pauses; then the bot's clock is right, so that its now is the reader's."""
    for sample in environment.story:
        await asyncio.sleep(sample.pause_s)
        if isinstance(sample, SampleAct):
            await _act(environment, sample)
        else:
            await _publish(environment, publishers, sample)
    # Before that, the last notice would seem to have been on its way for minutes.
    for publisher in publishers.values():
        await asyncio.to_thread(publisher.wait_until_read, GROUP, TIMEOUT_S)
    environment.clock.advance_to(utc_now())


async def play_once() -> None:
    """Play the story without pauses and print the messages of each channel.

    Raises DemoFailed unless every notice arrived in every channel whose filter matches, and in no other.
    """
    _out.print("Starting a broker, a local Slack and the bot …")
    async with _demo_environment(0) as environment:
        story = environment.story
        with _publishers(environment.broker) as publishers:
            for sample in story:
                if isinstance(sample, SampleAct):
                    await _act(environment, sample)
                else:
                    topic = await _publish(environment, publishers, sample)
                    await asyncio.to_thread(publishers[topic].wait_until_read, GROUP, TIMEOUT_S)
                await _wait_until_delivered(environment)
        answer = await environment.local_slack.command(
            "/gwevent", "MS181101ab", channel=environment.channels["gw-mocks"]
        )
        await answer.wait_for_answer()
        problems = []
        for name, channel in environment.channels.items():
            print_channel(_out, environment.local_slack, name, channel)
            criteria = CHANNEL_CRITERIA[name]
            problems += find_problems(environment.local_slack, channel, name, criteria, story)
        if problems:
            raise DemoFailed(" ".join(problems))
        published = [sample for sample in story if not isinstance(sample, SampleAct)]
        _out.print(f"\n{len(published)} notices and messages published, all of them where they belong.")


@asynccontextmanager
async def _demo_environment(port: int) -> AsyncIterator[DemoEnvironment]:
    story = _create_story(utc_now())
    clock = SimulatedClock()
    local_slack, treasure_map = LocalSlack(config=_app_config(story)), DemoTreasureMap(story, clock)
    try:
        await local_slack.start(port)
        await treasure_map.start()
    except OSError:
        raise SettingsError(f"Port {port} is taken; choose another with --port.") from None
    try:
        channels = {name: local_slack.add_channel(name) for name in CHANNEL_CRITERIA}
        with EmbeddedBroker() as broker, tempfile.TemporaryDirectory(prefix="gwevent-demo-") as folder:
            for topic in (TOPIC, *DEMO_MESSAGE_TOPICS):
                broker.create_topic(topic)
            settings = _settings(local_slack, broker, treasure_map, Path(folder))
            await asyncio.to_thread(write_demo_catalogue, catalogue_folder(settings), utc_now())
            sources = create_sources(settings)
            async with open_factory(settings) as factory:
                factory.thresholds = THRESHOLDS
                clock.set_time(utc_now() - MAX_STORY_AGE)
                bot = Application(settings, factory, sources, clock)
                stop = asyncio.Event()
                running = asyncio.create_task(bot.run(stop))
                try:
                    await _wait_until(bot.ready.is_set, running, "the bot is ready")
                    environment = DemoEnvironment(local_slack, broker, bot, factory, clock, channels, story)
                    await _subscribe(environment)
                    yield environment
                finally:
                    stop.set()
                    await running
    finally:
        await treasure_map.stop()
        await local_slack.stop()


def _app_config(story: Sequence[Sample]) -> AppConfig:
    """Return the app with examples to type that the story gives: the event with candidates, galaxies and
    observations, and a plan for the one that is up at night.
    """
    named = next(
        s.superevent_id for s in story if isinstance(s, SampleMessage) and s.topic == CIRCULARS_TOPIC
    )
    first, *others = GWEVENT.examples
    about_it = (f"{word} {named}" for word in ("candidates", "galaxies", "coverage"))
    mine = (*about_it, f"plan {_event_at_night(story)}")
    return AppConfig(commands=(replace(GWEVENT, examples=(first, *mine, *others)),))


def _event_at_night(story: Sequence[Sample]) -> str:
    """Return the id of the significant binary whose newest map peaks the farthest from the Sun."""
    sun, _ = sun_and_moon(utc_now())
    angles: dict[str, float] = {}
    for sample in story:
        if not isinstance(sample, SampleNotice):
            continue
        notice = decode(to_avro(sample.record))
        sky, event = notice.best_localization, notice.event
        if notice.is_retraction:
            angles.pop(notice.superevent_id, None)
        elif (
            sky is not None
            and event is not None
            and event.group == "CBC"
            and event.significant
            and category_from_id(notice.superevent_id) is Category.REAL
        ):
            angles[notice.superevent_id] = quantities.separation(sky.ra, sky.dec, *sun)
    return max(angles, key=lambda name: angles[name])


def _settings(
    local_slack: LocalSlack, broker: EmbeddedBroker, treasure_map: DemoTreasureMap, folder: Path
) -> Settings:
    return Settings.model_validate(
        {
            "slack_bot_token": SecretStr(local_slack.bot_token),
            "slack_app_token": SecretStr(local_slack.app_token),
            "slack_api_url": local_slack.api_url,
            "database_url": f"sqlite:///{folder / 'gwevent.sqlite'}",
            "kafka_url": broker.url(TOPIC),
            "kafka_group": GROUP,
            "kafka_auth": "off",
            "hopskotch_topics": ",".join(DEMO_MESSAGE_TOPICS),
            "gracedb_url": None,
            "treasuremap_token": SecretStr(TOKEN),
            "treasuremap_url": treasure_map.url,
            "mock_pictures": True,
        }
    )


async def _subscribe(environment: DemoEnvironment) -> None:
    await _command(environment, "gw-cbc", f"criteria add {DEMO_CRITERIA_SET} {DEMO_GRADES}")
    await _command(environment, "gw-cbc", f"sites add {TELESCOPE}")
    for name, words in CHANNEL_CRITERIA.items():
        await _command(environment, name, f"subscribe {words}")


async def _command(environment: DemoEnvironment, channel: str, words: str) -> None:
    done = await environment.local_slack.command("/gwevent", words, channel=environment.channels[channel])
    await done.wait_for_answer(timeout=TIMEOUT_S)


async def _act(environment: DemoEnvironment, act: SampleAct) -> None:
    """Play one action of the story: a person's, or time that passes until the next one is mentioned."""
    local_slack, channel = environment.local_slack, environment.channels[CHANNEL]
    seen = len(local_slack.messages(channel))
    environment.clock.advance_to(act.sent)
    who = local_slack.colleague if act.user == COLLEAGUE else local_slack.user
    if act.user is None:
        await _wait_for(
            lambda: len(local_slack.messages(channel)) > seen, f"whoever is next is mentioned ({act.name})"
        )
    elif act.words is not None:
        answers = len(local_slack.ephemerals(channel))
        await local_slack.command("/gwevent", act.words, channel=channel, user=who)
        # One with a picture doesn't come by the response_url.
        await _wait_for(lambda: len(local_slack.ephemerals(channel)) > answers, f"{act.name} is answered")
    else:
        card = next(
            message
            for message in top_level_messages(local_slack, channel)
            if is_card(message) and act.superevent_id in message["text"]
        )
        await local_slack.press(channel, card["ts"], ACKNOWLEDGE_ACTION, act.superevent_id, user=who)
    _out.print(f"{act.name}: {act.superevent_id}")


async def _publish(
    environment: DemoEnvironment, publishers: Mapping[str, Publisher], sample: SampleNotice | SampleMessage
) -> str:
    """Publish a sample at its time in the story, and return its topic."""
    environment.clock.advance_to(_time_of(sample))
    if isinstance(sample, SampleMessage):
        topic = sample.topic
        await asyncio.to_thread(publishers[topic].publish, sample.body, "json", reader_group=GROUP)
    else:
        topic = TOPIC
        await asyncio.to_thread(publishers[topic].publish, to_avro(sample.record), reader_group=GROUP)
    _out.print(f"published {sample.name}")
    return topic


async def _wait_until_delivered(environment: DemoEnvironment) -> None:
    """Wait until nothing is due; edits that wait on purpose, for what comes next, may still do so."""
    deadline = asyncio.get_running_loop().time() + TIMEOUT_S
    statistics, at_once = environment.factory.outbox_statistics, timedelta(0)
    while (found := await statistics.count_overdue(environment.clock(), at_once, at_once))[0]:
        if asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"{found[0]} deliveries still wait after {TIMEOUT_S:.0f} s.")
        await asyncio.sleep(0.1)


async def _wait_for(true: Callable[[], bool], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + TIMEOUT_S
    while not true():
        if asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"It took more than {TIMEOUT_S:.0f} s until {what}.")
        await asyncio.sleep(0.02)


async def _wait_until(true: Callable[[], bool], running: asyncio.Task[None], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + TIMEOUT_S
    while not true():
        if running.done():
            running.result()
            raise DemoFailed("The bot ended before the story began.")
        if asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"It took more than {TIMEOUT_S:.0f} s until {what}.")
        await asyncio.sleep(0.02)
