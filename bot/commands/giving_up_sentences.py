"""Sentences that say that a telescope can't observe: "Paranal is down", "bad weather at Keck". Pure.

They are read by their shape: a telescope, then what it is, has or can't do; or the same before "at Keck".
"""

from __future__ import annotations

import re

from bot.commands.sentence_reports import ReportMeaning, SentenceReport
from bot.commands.telescope_names import NO_OWN_NAMES, OwnNames, telescopes_at_start
from bot.commands.time_words import without_time_at_end

_BE = (
    r"(?:(?:is|was|are|were|be|been|being|has|have|had|got|gets|went|goes|stays|stayed|remains|remained|looks"
    r"|seems|now|just|already|also|all|still|again|currently|temporarily|completely|totally|fully|partly"
    r"|mostly|both|unfortunately|sadly|probably|may|might|will) )*"
)
_MUCH = r"(?:(?:too|very|so|really|quite|pretty|rather|a bit|extremely|far) )*"
_PARTS = (
    r"(?:dome|shutter|mirror|primary|secondary|mount|camera|guider|guiding|rotator|telescope|instrument"
    r"|detector|ccd|spectrograph|site|mountain|roof|enclosure|facility|observatory|power|network|internet"
    r"|computer|software|(?:control )?system|cooling|cryostat|road)"
)
_SKY = r"(?:weather|conditions|seeing|transparency|sky|skies|humidity|winds?)"
_CLOUDED = (
    r"(?:(?:clouded|weathered|rained|fogged|snowed|iced|misted|hazed|socked|smoked|winded|blown|washed|timed"
    r"|locked|flooded|dusted|frozen)(?: (?:out|over|in|off|up))?)"
)
_DOWN = (
    r"(?:down(?! to\b)|closed|closes|closing|shut(?:s|ting)?(?: down)?|off(?: ?-?line| ?-?sky|)"
    r"|out(?: of (?:action|order|service|operation|use))?|br[oe]ken?(?: down)?|dead|parked|stowed|stuck"
    r"|jammed|faulty|failed|failing|crashed|inoperable|inoperative|unavailable|inaccessible|unusable"
    r"|grounded|interrupted|stopped|halted|suspended|blocked)"
)
_WEATHERY = (
    rf"(?:{_MUCH}(?:cloudy|overcast|windy|gusty|rainy|foggy|snowy|stormy|humid|wet|icy|hazy|dusty|smoky|misty)"
    r"|too (?:very |much )?(?!(?:good|nice|kind|close|expensive|cheap|cool|funny)\b)[a-z]+)"
)
_BAD = rf"{_MUCH}(?:bad|poor|terrible|awful|horrible|nasty|marginal|worsening|deteriorating|no good|not good)"
_TROUBLE = (
    r"(?:clouds?|cirrus|rain|snow|ice|fog|mist|winds?|gusts?|humidity|(?:thunder)?storms?|lightning|dust"
    r"|smoke|haze|problems?|issues?|failures?|faults?|troubles?|outages?|downtime|breakdowns?|errors?"
    r"|maintenance|engineering|repairs?|malfunctions?|emergency|alarm|strike|shutdown|closure|crash"
    r"|earthquake|wildfire)"
)
_MISSING = (
    r"(?:(?:no|lost|lacks|lacking|without|out of) (?:power|electricity|network|internet|guiding|guide stars?"
    r"|dome|time|sky|luck|observers?|operators?|staff))"
)
_GOOD = (
    r"(?:no|not|without|zero|good|great|clear|excellent|perfect|fine|few|fewer|less|solved|fixed|what|how"
    r"|about|any|thin|light|slight|minor|scattered|passing|through|despite|between|before|after|around|if|when"
    r"|unless|once|observ\w+|imag(?:ed|ing)|cover(?:ed|ing)|pointed|done|finished|complete[ds]?|started|delayed"
    r"|survived|avoid\w*|cancel\w*)"
)
"""Words that keep what follows from being why nothing is observed."""
_NOUN = (
    rf"(?:(?!(?:\S+ ){{0,3}}{_GOOD} )(?:\S+ ){{0,3}}{_TROUBLE}"
    rf"|(?:\S+ ){{0,2}}{_BAD} (?:\S+ )?(?:{_SKY}|night))"
)
_HAS = (
    r"(?:(?:due|because|of|to|under|in|with|from|by|suffer(?:s|ed|ing)?|experienc(?:es|ed|ing)"
    r"|report(?:s|ed|ing)?|see(?:s|ing)?|encounter(?:s|ed)|hit|ran into|having|there|it|a|an|the|some|more"
    r"|lots of|a lot of) )*"
)
_LOST = (
    r"lost(?! (?:an?|about|around|almost|nearly|some|only|half|part|\d\S*|one|two|three|few|many|hours?"
    r"|minutes?|the (?:first|second|last|start|end|beginning))\b)"
)
"""Not a part of a night."""
_DROPS = (
    r"(?:abort(?:s|ed)?|(?:gave|gives|give) up(?: on)?|skip(?:s|ped)?|drop(?:s|ped)?|quits?"
    rf"|{_LOST}"
    r"|(?:pulls|pulled|backs|backed) out|(?:stands|stood) down|(?:calls|called) (?:it )?off"
    r"|(?:stopped|stops) (?:observing|pointing))"
)
_WORK = (
    r"(?:(?:be |get (?:to )?)?(?:(?:observ|expos|imag|mov|tak|mak|acquir|schedul|execut|integrat|operat"
    r"|contribut|continu|resum|guid)(?:es?|ed|ing)|(?:open|point|slew|start|reach|work|track|cover|look|follow"
    r"|join|participat|access|respond|repoint|target|go|do|focus|run|get|begin)(?:e?s|e?d|e|t?ing|ning)?"
    r"|took|made|got|begun|began|went|ran|done)|be (?:able|available|operational|possible|ready|online"
    r"|usable|used))\b"
)
"""What a telescope does that observes; what else it can't or won't says nothing: "didn't close"."""
_CANT = (
    r"(?:(?:(?:did|could|can|will|would|does|do) not|cannot|never|unable to|failed to|fails to)"
    rf" {_WORK}"
    r"|(?:not|no longer) (?:able|going|operational|operating|open|available|working|pointing|possible"
    r"|observing|get|reach|start|observe))"
    r"(?: (?:to|at|it|there|observe|point|do|get))*"
)
_STATE = re.compile(
    r"(?:(?:because|since|as|and|the|there|it's|it|we're|we|i'm|i|our|its|their) )*"
    rf"(?:(?P<sky>{_SKY}) {_BE}(?P<how>{_BAD}|{_WEATHERY}|{_MUCH}(?:high|strong))"
    rf"|(?:(?P<part>{_PARTS}) )?{_BE}(?:{_HAS}(?P<missing>{_MISSING})|(?P<act>{_DROPS}|{_CANT})"
    rf"|(?P<state>{_CLOUDED}|{_DOWN}|{_WEATHERY})|{_HAS}(?P<noun>{_NOUN})))"
    r"(?P<rest>(?:[ ,.;:(-].*)?)",
    re.IGNORECASE,
)
_AT = re.compile(r"(?<!\S)(?:at|with|on|from|in|for|of) (?:the )?(?=\S)", re.IGNORECASE)
_ASKS = re.compile(
    r"(?:what|how|why|when|where|who|which|whose|is|are|was|were|has|have|had|does|do|did|can|could|will"
    r"|would|should|any\w*|if|whether|tell|show)\b",
    re.IGNORECASE,
)
_RECOVERED = re.compile(
    r"\b(?:but|(?:re)?open(?:ed|s)?|back|up|fine|ok|okay|recovered|resum\w+|solved|fixed|until|before|clear(?:s|ed|ing)?|or"
    r"|not(?=[ ,.;])|isn't|tomorrow|next)\b",
    re.IGNORECASE,
)
"""Words behind a state by which it isn't the one of this night, isn't sure, or is another telescope's."""
_REASON_START = re.compile(
    r"^(?:it|this|that|(?:this|that|the) event|this one|because|due to|since|of|for|by|to|the|note|on|as"
    r"|owing to|thanks to|and|whole|entire|sorry|unfortunately|sadly)\b[ :,]*|^<@\w+>[ :,]*",
    re.IGNORECASE,
)
_CANCELLED = re.compile(
    r"^(?:it|this|that|(?:(?:the|this|that|its|our|all)(?: of)? )*(?:plans?|observations?|observing"
    r"|pointings?|fields|exposures|run|night|event|too|follow-?up))\b[ ,]*",
    re.IGNORECASE,
)
"""What of an event is cancelled."""
_ELSE = re.compile(
    r"\b(?:magellanic|[ls]mc|molecular|interstellar|ice ?(?:cube|cream)"
    r"|errors? (?:circle|region|bar|box|ellipse|budget|of|in)s?|dust (?:lanes?|extinction|trail|clouds?)"
    r"|(?:problems?|issues?|errors?|troubles?)(?: with)?(?: the)? (?:\S+ )?(?:stream|data|pipeline|website"
    r"|archive|broker)"
    r"|(?:problems?|issues?|errors?|troubles?) (?:with|in|about)(?! (?:(?:the|its|our|a|an) )?"
    rf"(?:{_PARTS}|{_SKY})\b)(?= (?!it\b)\S))",
    re.IGNORECASE,
)
"""Words that are no weather and no failure of a telescope: "error circle", "problems with the plan"."""
_UNITS = r"(?:fields?|pointings?|tiles?|exposures?)"
_SOME_FIELDS = re.compile(
    r"\b(?:(?:\d[\d,/\u2013-]*|an?|one|two|three|four|five|six|few|some|half|part|last|first|rest)(?: of)?"
    rf"(?: the)? (?:{_UNITS}|plan)|{_UNITS} (?:no\.? ?)?#?\d)",
    re.IGNORECASE,
)
_NEGATIONS = (
    (r"\bcan't\b|\bcan not\b|\bcant\b", "cannot"),
    (r"\bwon't\b|\bwont\b", "will not"),
    (r"n't\b", " not"),
    (r"(?<=\b(?:is|do))nt\b|(?<=\b(?:are|was|did|has|had))nt\b|(?<=\b(?:were|does|have))nt\b", " not"),
    (r"(?<=\b(?:could|would))nt\b", " not"),
)
"""Patterns of negations, as they are typed on a phone too, and what each stands for."""


def read_giving_up(sentence: str, own: OwnNames = NO_OWN_NAMES) -> SentenceReport | None:
    """Return which telescopes give up, and why, for a sentence that says so; None for others."""
    said = " ".join(sentence.replace("’", "'").strip(" .!").split())
    for pattern, long in _NEGATIONS:
        said = re.sub(pattern, long, said, flags=re.IGNORECASE)
    telescopes, rest = telescopes_at_start(said, own)
    if telescopes:
        return _giving_up(telescopes, re.sub(r"^(?:'s)?[ :,;\u2013\u2014-]*", "", rest))
    for at in () if _ASKS.match(said) else _AT.finditer(said):
        telescopes, rest = telescopes_at_start(said[at.end() :], own)
        if telescopes:
            return _giving_up(telescopes, f"{said[: at.start()].strip()} {rest.strip()}".strip())
    return None


def tells_reason(text: str) -> bool:
    """Return whether a text behind "cancelled" is empty, or why or what: "because of wind", "the plan"."""
    if _RECOVERED.search(text):
        return False
    said = _CANCELLED.sub("", without_time_at_end(text.strip(" .,;!")))
    if not said or re.match(
        r"[:(\u2013\u2014-]|(?:because|due|for|since|as|owing|thanks)\b", said, re.IGNORECASE
    ):
        return True
    return _STATE.fullmatch(said) is not None


def names_fields(text: str) -> bool:
    """Return whether a text names some fields of a plan: "field 3", "after 2 fields"."""
    return _SOME_FIELDS.search(text) is not None


def _giving_up(telescopes: tuple[str, ...], said: str) -> SentenceReport | None:
    found = _STATE.fullmatch(said)
    if found is None or _RECOVERED.search(found["rest"]) or _ELSE.search(said):
        return None
    if found["state"] and re.match(r" to\b", found["rest"], re.IGNORECASE):
        # "closed to visitors", "off to a good start"
        return None
    if names_fields(said):
        return SentenceReport(meaning=ReportMeaning.UNCLEAR, telescopes=telescopes)
    behind = without_time_at_end(found["rest"].strip(" ,.;:()-"))
    cause = behind
    while (shorter := _REASON_START.sub("", cause)) != cause:
        cause = shorter
    itself = found["missing"] or found["noun"]
    if itself is not None:
        words = [found["part"], itself, behind]
    else:
        words = [cause] if cause else [found["sky"], found["how"], found["part"], found["state"]]
    reason = " ".join(word for word in words if word)
    return SentenceReport(meaning=ReportMeaning.GIVES_UP, telescopes=telescopes, words=reason)
