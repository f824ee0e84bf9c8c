"""What a typed question asks for: a command with its arguments, or what about which event. Pure.

A question is read by rules, in this order: a command's word at its beginning or after the event's id; what
sentences about events, positions, sites and lists contain; a filter on its own; a command's word with a
typing error. Nothing that changes what a channel receives is ever done because of a guess.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from bot.commands.candidate_sentences import read_candidate_sentence
from bot.commands.corrections import near_words
from bot.commands.coverage_words import asks_for_coverage, besides_coverage
from bot.commands.drill_sentences import read_drill_sentence
from bot.commands.galaxy_sentences import read_galaxy_sentence
from bot.commands.grade_sentences import asks_for_change, asks_for_grades, asks_for_list
from bot.commands.list_verbs import read_verb_behind
from bot.commands.observe_sentences import read_observe_sentence, read_statement, read_unclear_report
from bot.commands.parsed_question import ParsedQuestion as ParsedQuestion
from bot.commands.people_questions import asks_who_has_it, asks_who_observes, wants_to_take
from bot.commands.plan_sentences import read_plan_sentence
from bot.commands.position_sentences import has_position, position_words
from bot.commands.question_cleaning import TRAILING_MARKS
from bot.commands.question_cleaning import clean_question as clean_question
from bot.commands.question_cleaning import is_question as is_question
from bot.commands.sentence_reports import SentenceReport
from bot.commands.stopping_sentences import nearest_to_stopping, read_muting
from bot.commands.telescope_names import NO_OWN_NAMES, OwnNames, is_telescope
from bot.commands.time_words import without_time_at_end
from bot.commands.topics import ABOUT_NO_EVENT as ABOUT_NO_EVENT
from bot.commands.topics import Topic as Topic
from bot.commands.topics import asks_about, topic_of, words_besides, words_pattern


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLERS = _words(
    """a an the of for in on at about please pls kindly me us we i you is are was were be been has have had
    do does did can could would will should may might what whats which where how it its it's this that
    these those there here any some all show list give tell get see find search display us and to by
    with from far so until now ever event events superevent superevents candidate candidates alert
    alerts gw signal signals many much number count detected found seen received happened recorded new
    when anything something happen details detail info information what's who who's facts summary
    summarize full more current please thanks really actually still just"""
)
_KEPT = _words("from to this until in on all with")
"""Fillers that mean something in a period or a condition."""
_LIST_STARTS = _words(
    "any anything show list all which how count number total give were are have has did find search"
)
_GREETINGS = re.compile(
    r"(?:hello|hi+|hey+|hallo|hola|moin|ciao|salut|bonjour|good (?:morning|evening|afternoon|day)"
    r"|greetings|howdy|yo"
    r"|ping|sup|what'?s up|are you (?:there|alive|awake)|who are you|what are you|what can you do|what"
    r" do you do)"
    r"(?: (?:there|all|everyone|everybody|team|bot|gwevent))*"
)
_THANKS = re.compile(
    r"(?:(?:many )?(?:thanks?|thank you)(?: (?:a lot|so much|very much))?|thx|ty|tnx|cheers|merci|danke"
    r"|gracias|great"
    r"|nice|cool|good bot|well done|perfect|ok|okay|bye|goodbye|good night|awesome)"
    r"(?: (?:bot|gwevent|all|you|much))*"
)
_RUNS = words_pattern(
    "observing runs?|next run|runs? (?:start|begin|end)|duty cycle|observing mode|science mode",
    "o[5-9] er1[0-9] ir1 detectors? interferometers? ligo virgo kagra livingston hanford ranges? online"
    " offline",
)
_RUNS_CONTEXT = words_pattern(
    "up down on off online offline running runs? observing when ranges? status next starts? ends? now"
    " locked? horizon"
    " duty"
)
_COMPARE = words_pattern("compared? comparison vs versus difference differ diff")
_VISIBLE = words_pattern(
    "sees? observed? observable observability visible visibility rises? rising sets? up point reach"
    " airmass tonight"
)
_OBSERVED = re.compile(r"^(?!.*\bbe\b).*\bobserved\b")
"""Of something in the past; what can be observed is still to come."""
_VISIBLE_FILLERS = _words(
    """what whats can could will would is are be it its the we i you to from see sees observe observed
    observable visible visibility observability when does do this that event rise rises set sets up
    point reach part of for in by how much sky map fraction airmass where which sites site telescopes
    telescope me us our my get any"""
)
_OWN_STATE = re.compile(
    r"\b(?:bot|gwevent|you)\b.*\b(?:running|working|up|ok|okay|online|broken|down|healthy|connected)\b"
    r"|\b(?:version|uptime|health)\b"
)
_INSIDE = re.compile(r"(?:is|was|check)\s+(?P<what>.+?)\s+(?:in|inside|within|on|part of)\b.*", re.IGNORECASE)
_POLITE_HEAD = re.compile(r"^(?:(?:please|pls|plz|hey|hi|hello|ok|okay|so)[\s,]+)+(?=\S)", re.IGNORECASE)
_INTERJECTIONS = re.compile(
    r"^(?:(?:sorry|fyi|btw|ugh|argh|oh|alas|unfortunately|sadly|damn)[\s,:]+)+(?=\S)", re.IGNORECASE
)
_ASKS_OF_EVENT = re.compile(r"(?:\S+ ){0,3}(?:is|was|has|had)  (?=\S)", re.IGNORECASE)
"""Two blanks stand where the event's id did: "was S230518h observed by ZTF" asks, "S230518h was" tells."""
_SEPARATOR_BEFORE = re.compile(r"^(?:[,:;/|…—]+\s*|[.?!>=&-]+\s+)+")

MAX_SENTENCE_WORDS = 40
"""A longer question is no sentence that rules understand."""

_PERIOD_AFTER_LAST = re.compile(
    r"(?:last|latest)\s+(?:\d+\s*)?(?:hours?|days?|weeks?|months?|years?|h|d|w|yr|fortnight"
    r"|mon\w*|tues\w*|wednes\w*|thurs\w*|fri\w*|satur\w*|sun\w*)\b",
    re.IGNORECASE,
)


def read_question(
    text: str,
    event_count: int,
    commands: Collection[str],
    safe_commands: Mapping[str, str],
    own: OwnNames = NO_OWN_NAMES,
) -> ParsedQuestion:
    """Return how a question is understood; `text` is without the events that it names, `event_count` of them.

    `commands` are all words of commands, in lower case; `safe_commands` maps those that change nothing, and
    that a typing error may therefore be corrected to, to the commands' names; `own` are the telescopes of the
    channel.
    """
    text = text.strip()
    if event_count:
        # What separated the event from the rest: "S230518h: visible", "S230518h - map".
        text = _SEPARATOR_BEFORE.sub("", text)
    words = text.split()
    first = words[0].casefold().strip(",:;") if words else ""
    if not words:
        if event_count == 0:
            return ParsedQuestion(command="help")
        return ParsedQuestion(topic=Topic.CARD if event_count == 1 else Topic.COMPARE)
    if _PERIOD_AFTER_LAST.match(text) and "events" in commands:
        return ParsedQuestion(command="events", arguments=text)
    if first in commands and not _is_sentence(first, words, event_count):
        return ParsedQuestion(command=first, arguments=text[len(words[0]) :].strip())
    sentence = _POLITE_HEAD.sub("", " ".join(words)).rstrip(TRAILING_MARKS)
    folded = sentence.casefold()
    if (muting := read_muting(folded)) is not None and muting[0] in commands:
        return ParsedQuestion(command=muting[0], arguments=muting[1])
    sentence = _INTERJECTIONS.sub("", sentence)
    folded = sentence.casefold()
    if len(words) <= MAX_SENTENCE_WORDS:
        is_asked = event_count == 1 and _ASKS_OF_EVENT.match(text) is not None
        if is_asked and "observe" in commands and asks_who_observes(folded, own):
            return ParsedQuestion(command="observe")
        found = _read_sentence(sentence, folded, event_count, commands, own)
        if found is not None:
            return found
    return _read_unknown(words, event_count, commands, safe_commands)


def _is_sentence(first: str, words: Sequence[str], event_count: int) -> bool:
    """Return whether a command's word begins a sentence instead: "list all events"; "map of …" doesn't."""
    if first in ("show", "list", "find", "all"):
        rest = {word.casefold().strip(TRAILING_MARKS) for word in words[1:]}
        return event_count > 0 or bool(
            rest & {"map", "skymap", "history", "me", "sites", "subscriptions", "help", "criteria"}
        )
    named = {"subscriptions", "subscription"}
    return first == "history" and event_count == 0 and not named.isdisjoint(map(str.casefold, words))


def _read_sentence(
    sentence: str, folded: str, event_count: int, commands: Collection[str], own: OwnNames
) -> ParsedQuestion | None:
    plain = re.sub(r"[^\w\s'@<>=/.+:°-]", " ", folded)
    plain = " ".join(plain.split())
    if _GREETINGS.fullmatch(plain):
        return ParsedQuestion(topic=Topic.GREETING)
    if _THANKS.fullmatch(plain):
        return ParsedQuestion(topic=Topic.THANKS)
    if _OWN_STATE.search(plain) and not event_count:
        return ParsedQuestion(command="status")
    if not event_count and (drill := read_drill_sentence(plain)) is not None:
        return ParsedQuestion(nearest=drill)
    if re.search(r"\bsubscri(?:bed|ptions?)\b", plain) and not event_count:
        page = "history" if re.search(r"\b(?:history|changed|changes)\b", plain) else ""
        return ParsedQuestion(command="subscriptions", arguments=page)
    if "observe" in commands and (report := read_observe_sentence(sentence, own)) is not None:
        return (
            ParsedQuestion(command="observe", arguments=report)
            if isinstance(report, str)
            else _as_report(report)
        )
    inside = _INSIDE.fullmatch(sentence) if event_count and not asks_who_observes(plain, own) else None
    # "is Keck on S…" asks for no place.
    if inside is not None and unexplained_words(inside["what"]) and not is_telescope(inside["what"], own):
        return ParsedQuestion(command="check", arguments=inside["what"])
    if not event_count and _HAPPENED.fullmatch(plain) and "events" in commands:
        return ParsedQuestion(command="events", arguments="last night")
    if not event_count and (how := _HOW_TO.search(plain)):
        return ParsedQuestion(command="help", arguments=how[1])
    if "help" in plain.split():
        return ParsedQuestion(
            command="help", arguments=" ".join(unexplained_words(plain.replace("help", "")))
        )
    if event_count > 1:
        return ParsedQuestion(topic=Topic.COMPARE)
    if has_position(sentence):
        return ParsedQuestion(command="check", arguments=position_words(sentence))
    if wants_to_take(plain):
        return ParsedQuestion(topic=Topic.TAKING)
    if asks_who_has_it(plain):
        return ParsedQuestion(topic=Topic.PEOPLE)
    if "observe" in commands and asks_who_observes(plain, own):
        return ParsedQuestion(command="observe")
    if event_count == 0 and _RUNS.search(plain) and (_RUNS_CONTEXT.search(plain)) and not _names_class(plain):
        return ParsedQuestion(topic=Topic.RUNS)
    if _COMPARE.search(plain) and event_count:
        return ParsedQuestion(topic=Topic.COMPARE)
    if "grades" in commands and (grades := _read_grade_question(plain, event_count)) is not None:
        return grades
    if "candidates" in commands and (meant := read_candidate_sentence(plain, event_count)):
        return (
            ParsedQuestion(command="candidates") if meant == "candidates" else ParsedQuestion(nearest=meant)
        )
    if "galaxies" in commands and (asked := read_galaxy_sentence(sentence, event_count)) is not None:
        return ParsedQuestion(command="galaxies", arguments=asked)
    if "plan" in commands and (plan := read_plan_sentence(sentence)) is not None:
        return ParsedQuestion(command="plan", arguments=plan)
    if "coverage" in commands and asks_for_coverage(plain):
        return ParsedQuestion(
            command="coverage", arguments=" ".join(unexplained_words(besides_coverage(plain)))
        )
    is_report = event_count > 0 and "observe" in commands
    if is_report and (statement := read_statement(sentence, _says_more_than_visible, own)) is not None:
        return _as_report(statement)
    if (command := _inner_command(plain, event_count, commands)) is not None:
        return command
    if event_count and asks_about(plain, Topic.COINCIDENCE):
        return ParsedQuestion(topic=Topic.COINCIDENCE, arguments=plain)
    if "observe" in commands and _OBSERVED.search(plain):
        # "I think ZTF observed it" asks for no visibility.
        unclear = read_unclear_report(sentence, _says_more_than_visible, own)
        if unclear is not None:
            return _as_report(unclear)
    is_stopping = not event_count and nearest_to_stopping(plain) is not None
    if _VISIBLE.search(plain) and not is_stopping and (event_count or not _names_class(plain)):
        return ParsedQuestion(command="visible", arguments=_besides_visible(sentence))
    if event_count:
        topic = topic_of(plain)
        corrected = None if topic is not None else _corrected_detail(plain)
        if topic is None and corrected is None and is_report:
            unclear = read_unclear_report(sentence, lambda words: bool(unexplained_words(words)), own)
            corrected = None if unclear is None else _as_report(unclear)
        return corrected or ParsedQuestion(topic=topic or Topic.CARD, arguments=plain)
    return _read_list_question(sentence, plain)


def _as_report(report: SentenceReport) -> ParsedQuestion:
    return ParsedQuestion(command="observe change", arguments=report.words, report=report)


def _says_more_than_visible(words: str) -> bool:
    """Return whether words behind a telescope say anything else than that it can observe: "up tonight"."""
    plain = without_time_at_end(" ".join(unexplained_words(words)))
    return not set(plain.split()) <= _VISIBLE_FILLERS


def _besides_visible(sentence: str) -> str:
    """Return the words of a question about visibility that name sites and nights.

    The word "not" is no name of the Nordic Optical Telescope unless it alone has capitals.
    """
    fillers = _VISIBLE_FILLERS if "NOT" in sentence and not sentence.isupper() else _VISIBLE_FILLERS | {"not"}
    return " ".join(word for word in sentence.split() if word.casefold().strip(TRAILING_MARKS) not in fillers)


def _read_grade_question(plain: str, event_count: int) -> ParsedQuestion | None:
    """Return what "would we trigger", "is it gold" or "which criteria are there" asks for."""
    if asks_for_change(plain):
        return ParsedQuestion(nearest="criteria")
    if not event_count and asks_for_list(plain):
        return ParsedQuestion(command="criteria")
    is_asked = asks_for_grades(plain, event_count) and not _SUBSCRIBING.search(plain)
    return ParsedQuestion(command="grades", arguments=plain) if is_asked else None


def _inner_command(plain: str, event_count: int, commands: Collection[str]) -> ParsedQuestion | None:
    """Return the command of a sentence about an event in which its word stands: "show me the map of it"."""
    words = plain.split()
    about_event = event_count > 0 or bool({"it", "this", "its"} & set(words))
    if not about_event and words[:1] != ["show"]:
        return None
    formats = [word for word in words if word in (*_FORMATS, "region")]
    if formats and ("export" in words or formats[0] in _FORMATS):
        return ParsedQuestion(command="tiles" if formats[0] == "tiles" else "export", arguments=formats[0])
    for word, command in (
        ("map", "map"),
        ("skymap", "map"),
        ("maps", "map"),
        ("picture", "map"),
        ("image", "map"),
        ("plot", "map"),
        ("history", "history"),
        ("changed", "history"),
        ("notices", "history"),
        ("timeline", "history"),
        ("initial", "history"),
        ("preliminary", "history"),
    ):
        if word in words and command in commands:
            return ParsedQuestion(command=command, arguments=words[0] if words[1:] == [word] else "")
    if not event_count and words[:1] == ["show"]:
        for word in words[1:]:
            if word in ("sites", "subscriptions", "help", "status", "latest"):
                return ParsedQuestion(command=word)
    return None


_FORMATS = ("moc", "json", "ds9", "csv", "tiles", "aladin", "mocpy")
_SUBSCRIBING = re.compile(
    r"\b(?:notify|alert|ping|tell|inform|warn|call) (?:me|us)\b|\b(?:sign ?up|follow)\b"
)
_HAPPENED = re.compile(r"(?:what|anything)(?:'s| has| is)? happen(?:ed|ing)?(?: (?:tonight|today|now))?")
_HOW_TO = re.compile(
    r"^how (?:do|to|can|could|does|would|should)\b.*\b(subscribe|unsubscribe|subscriptions?|filters?|sites?"
    r"|check|export|mentions?|notify|escalate|quiet|criteria|candidates|galaxies|plan|observe|coverage"
    r"|mute|unmute)\b"
)
_DETAILS = (
    *("history", "map", "export", "json", "moc", "ds9", "csv", "check", "visible", "tiles"),
    *("candidates", "galaxies", "plan", "coverage"),
)
"""Commands about an event to which a misspelled word of a sentence with an id is corrected."""


def _corrected_detail(plain: str) -> ParsedQuestion | None:
    for word in unexplained_words(plain):
        near = near_words(word, _DETAILS)
        if near:
            rest = " ".join(other for other in unexplained_words(plain) if other != word)
            return ParsedQuestion(
                command=near[0], arguments=rest, corrected=None if word == near[0] else word
            )
    return None


def _names_class(plain: str) -> bool:
    return re.search(r"\b(?:bns|nsbh|bbh|burst|bursts|cbc|ssm|massgap)\b", plain) is not None


def _read_list_question(sentence: str, plain: str) -> ParsedQuestion | None:
    """Return the search that "any BNS this week" asks for, or the question about the default event."""
    words = plain.split()
    if not words:
        return None
    asks_list = words[0] in _LIST_STARTS or "how many" in plain
    if (asks_list and _names_class(plain)) or re.search(
        r"\b(?:how many|events|superevents|alerts|candidates)\b", plain
    ):
        return ParsedQuestion(command="events", arguments=sentence, is_filter_guess=True)
    telling = unexplained_words(plain)
    if telling and set(telling) <= {"latest", "newest", "last"}:
        return ParsedQuestion(command="latest")
    if telling == ["sites"]:
        return ParsedQuestion(command="sites")
    topic = topic_of(plain)
    points_at_one = bool({"it", "this", "its"} & set(words))
    if topic is not None and (points_at_one or (not _names_class(plain) and _asks_about_one(plain, topic))):
        return ParsedQuestion(topic=topic, arguments=plain)
    return ParsedQuestion(command="events", arguments=sentence, is_filter_guess=True) if asks_list else None


def _asks_about_one(plain: str, topic: Topic) -> bool:
    """Return whether a question without an id asks this about one event, and contains nothing else."""
    return not re.search(r"[<>=]", plain) and not unexplained_words(words_besides(plain, topic))


def unexplained_words(plain: str) -> list[str]:
    """Return the words of a question that say nothing gwevent knows: neither fillers nor ids."""
    return [word for word in re.findall(r"[\w'@<>=-]+(?:\.\d+)*", plain.casefold()) if word not in _FILLERS]


def without_fillers(sentence: str) -> str:
    """Return a sentence without the words that say nothing about events, for a second reading as a filter."""
    return " ".join(word for word in sentence.split() if word.casefold() not in _FILLERS - _KEPT)


def _read_unknown(
    words: Sequence[str], event_count: int, commands: Collection[str], safe_commands: Mapping[str, str]
) -> ParsedQuestion:
    first = words[0].casefold().strip(TRAILING_MARKS)
    near = near_words(first, sorted(commands))
    if _SUBSCRIBING.search(" ".join(words).casefold()):
        return ParsedQuestion(nearest="subscribe")
    if first == "quiet" or (first == "be" and words[1:2] == ["quiet"]):
        return ParsedQuestion(nearest="help quiet")
    if not event_count and (stopping := nearest_to_stopping(" ".join(words).casefold())) is not None:
        return ParsedQuestion(nearest=stopping)
    if near and near[0] in safe_commands and len(first) > 3:
        return ParsedQuestion(command=near[0], arguments=" ".join(words[1:]), corrected=words[0])
    if near or event_count:
        return ParsedQuestion(nearest=near[0] if near else None)
    if not unexplained_words(" ".join(words)):
        return ParsedQuestion()
    command, arguments = read_verb_behind(words) or ("events", " ".join(words))
    return ParsedQuestion(command=command, arguments=arguments, is_filter_guess=True)
