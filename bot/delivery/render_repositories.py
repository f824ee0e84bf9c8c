"""The repositories that rendering reads."""

from __future__ import annotations

from dataclasses import dataclass

from bot.delivery.card_repositories import CardRepositories
from bot.delivery.channel_grades import CriteriaSetsProvider
from bot.store.channels.drills import DrillRepository
from bot.store.channels.event_people import EventPeopleRepository
from bot.store.channels.mentions import MentionRepository
from bot.store.channels.mutes import MuteRepository
from bot.store.channels.quiet_criteria import QuietCriteriaRepository
from bot.store.channels.refused_mentions import RefusedMentionRepository
from bot.store.channels.stream_choices import StreamChoices
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.events.circulars import CircularRepository
from bot.store.events.counterparts import CounterpartRepository
from bot.store.events.escalations import EscalationRepository
from bot.store.events.notices import NoticeRepository
from bot.store.events.quarantine import QuarantineRepository
from bot.store.events.related_messages import RelatedMessageRepository
from bot.store.operations.incidents import IncidentRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderRepositories:
    """The repositories of the state that messages show."""

    notices: NoticeRepository
    subscriptions: SubscriptionRepository
    cards: CardRepositories
    mutes: MuteRepository
    event_people: EventPeopleRepository
    escalations: EscalationRepository
    drills: DrillRepository
    mentions: MentionRepository
    quiet_criteria: QuietCriteriaRepository
    refused_mentions: RefusedMentionRepository
    circulars: CircularRepository
    related_messages: RelatedMessageRepository
    counterparts: CounterpartRepository
    stream_choices: StreamChoices
    criteria_sets: CriteriaSetsProvider
    incidents: IncidentRepository
    quarantine: QuarantineRepository
