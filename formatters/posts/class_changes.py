"""Changes of the classes and properties from one notice of an event to the next, for a reply."""

from __future__ import annotations

from collections.abc import Mapping

from formatters.blockkit.mrkdwn import plain_text
from formatters.models import classes
from formatters.models.notice import PROPERTIES, Event, Notice
from formatters.models.significance import assumes_astrophysical_origin, last_terrestrial, ranked_classes
from formatters.models.superevent import Superevent
from formatters.text import quantities
from formatters.text.source_lines import class_line, unread_words
from formatters.text.vocabulary import notice_name, old_to_new

MIN_STEP = 0.05
"""Smallest change of a probability that is reported for itself."""
LIMITS = (0.1, 0.5)
"""Probabilities at which a smaller change is reported too: a class becomes worth a thought, or likely."""
_NEGLIGIBLE = 0.01
_ROUNDING = 1e-9


def is_news(old: float, new: float) -> bool:
    """Return True if the step from one probability (0 to 1) to another is reported."""
    if abs(new - old) >= MIN_STEP - _ROUNDING:
        return True
    return any((old < limit) != (new < limit) for limit in LIMITS)


def class_changes(superevent: Superevent, before: Notice, notice: Notice) -> list[str]:
    """Return the classes whose probability changed enough; all of them if they come or go.

    Classes that assume an astrophysical origin are compared with the earlier ones under the same assumption,
    since a Terrestrial that is no longer given raises all the others without any news about the source.
    """
    old, new = before.event, notice.event
    if old is None or new is None:
        return []
    line = class_line(superevent, notice, new)
    unread = [unread_words(event, classes.CLASSIFICATION) for event in (old, new)]
    if classes.is_unread(new, classes.CLASSIFICATION) or (unread[1] and not new.classification):
        return [] if line is None or line == class_line(superevent, before, old) else [line]
    if not new.classification:
        return ["No class probabilities any more"] if old.classification else []
    if not old.classification:
        return [] if line is None else [f"Classes: {line}"]
    was_conditional, is_conditional = map(assumes_astrophysical_origin, (before, notice))
    if was_conditional and not is_conditional:
        return [] if line is None else [f"Classes with Terrestrial again: {line}"]
    earlier: Mapping[str, float] = old.classification
    front, back = "", ""
    if is_conditional:
        earlier = _if_astrophysical(old.classification)
        front = "If astrophysical: "
        known = last_terrestrial(superevent, notice)
        if known is not None and known[1] >= _NEGLIGIBLE and not was_conditional:
            stage = notice_name(superevent, known[0])
            back = f"Terrestrial not given any more ({quantities.percent(known[1])} in {stage})"
    moved = [] if unread[0] == unread[1] else unread[1]
    moved += _class_steps(earlier, old, new, is_conditional=is_conditional)
    steps = [f"{front}{' · '.join(moved)}"] if moved else []
    line = " · ".join([*steps, *([back] if back else [])])
    return [line] if line else []


def _if_astrophysical(stated: Mapping[str, float]) -> dict[str, float]:
    """Return the probabilities on condition that the event isn't Terrestrial; unchanged if it surely is."""
    rest = sum(p for name, p in stated.items() if name != "Terrestrial")
    return {name: p / rest if rest > 0 else p for name, p in stated.items() if name != "Terrestrial"}


def _class_steps(earlier: Mapping[str, float], old: Event, new: Event, *, is_conditional: bool) -> list[str]:
    was_unread = classes.unread_names(old, classes.CLASSIFICATION)
    now_unread = classes.unread_names(new, classes.CLASSIFICATION)
    ranked = [(name, p) for name, p in ranked_classes(new) if not (is_conditional and name == "Terrestrial")]
    leaders = {max(earlier, key=lambda name: earlier[name], default=None), ranked[0][0] if ranked else None}
    moved = []
    for name, probability in ranked:
        before = earlier.get(name, 0.0)
        was, now = quantities.percent(before), quantities.percent(probability)
        if name in was_unread:
            moved.append(f"{plain_text(name)} {now}")
        # A change of the leader changes the title, so it is told however small it is.
        elif was != now and (is_news(before, probability) or (len(leaders) > 1 and name in leaders)):
            moved.append(old_to_new(plain_text(name), was, now))
    if len(leaders) > 1 and not moved and ranked:
        moved.append(f"Most probable now {plain_text(ranked[0][0])} {quantities.percent(ranked[0][1])}")
    still = (*new.classification, *now_unread)
    removed = [name for name, p in earlier.items() if name not in still and p >= _NEGLIGIBLE]
    return [*moved, *(f"{plain_text(name)} no longer given" for name in removed)]


def property_changes(superevent: Superevent, notice: Notice, old: Event, new: Event) -> list[str]:
    """Return the properties whose probability changed enough, and Terrestrial, which they leave aside."""
    if old.properties and not new.properties and not new.unread:
        return ["No properties any more"]
    unread = [unread_words(event, classes.PROPERTIES) for event in (old, new)]
    moved = [] if unread[0] == unread[1] else unread[1]
    for name in (*PROPERTIES, *sorted(set(new.properties) - set(PROPERTIES))):
        probability = new.properties.get(name)
        if probability is None:
            continue
        now, before = quantities.percent(probability), old.properties.get(name)
        if before is None:
            if probability >= _NEGLIGIBLE:
                moved.append(f"{plain_text(name)} {now}")
        elif is_news(before, probability) and (was := quantities.percent(before)) != now:
            moved.append(old_to_new(plain_text(name), was, now))
    if not moved:
        return []
    return [f"If astrophysical ({_terrestrial(superevent, notice, new)}): {' · '.join(moved)}"]


def _terrestrial(superevent: Superevent, notice: Notice, event: Event) -> str:
    if assumes_astrophysical_origin(notice):
        known = last_terrestrial(superevent, notice)
        if known is None:
            return "Terrestrial not given"
        return f"Terrestrial was {quantities.percent(known[1])} in {notice_name(superevent, known[0])}"
    terrestrial = event.classification.get("Terrestrial")
    return f"Terrestrial {'not given' if terrestrial is None else quantities.percent(terrestrial)}"
