"""Sentences that say that a telescope can't observe: "Paranal is down", "bad weather at Keck". Pure.

They are read by their shape: a telescope, then what it is, has or can't do; or the same before "at Keck".
"""

from __future__ import annotations

import re

from bot.commands.sentence_reports import ReportMeaning, SentenceReport
from bot.commands.telescope_names import telescopes_at_start
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
    r"(?:down|closed|closes|closing|shut(?:s|ting)?(?: down)?|off(?: ?-?line| ?-?sky|)"
    r"|out(?: of (?:action|order|service|operation|use))?|br[oe]ken?(?: down)?|dead|parked|stowed|stuck"
    r"|jammed|faulty|failed|failing|crashed|inoperable|inoperative|unavailable|inaccessible|unusable"
    r"|grounded|interrupted|stopped|halted|suspended|blocked|lost)"
)
_WEATHERY = (
    rf"(?:{_MUCH}(?:cloudy|overcast|windy|gusty|rainy|foggy|snowy|stormy|humid|wet|icy|hazy|dusty|smoky|misty)"
    r"|too (?:very |much )?[a-z]+)"
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
    r"|about|any)"
)
_NOUN = (
    rf"(?:(?!(?:\S+ ){{0,3}}{_GOOD} )(?:\S+ ){{0,3}}{_TROUBLE}"
    rf"|(?:\S+ ){{0,2}}{_BAD} (?:\S+ )?(?:{_SKY}|night))"
)
_HAS = (
    r"(?:(?:due|because|of|to|under|in|with|from|by|suffer(?:s|ed|ing)?|experienc(?:es|ed|ing)"
    r"|report(?:s|ed|ing)?|see(?:s|ing)?|encounter(?:s|ed)|hit|ran into|having|there|it|a|an|the|some|more"
    r"|lots of|a lot of) )*"
)
_DROPS = (
    r"(?:abort(?:s|ed)?|(?:gave|gives|give) up(?: on)?|skip(?:s|ped)?|drop(?:s|ped)?|lost|quits?"
    r"|(?:pulls|pulled|backs|backed) out|(?:stands|stood) down|(?:calls|called) (?:it )?off"
    r"|(?:stopped|stops) (?:observing|pointing))"
)
_CANT = (
    r"(?:(?:(?:did|could|can|will|would|does|do) not|cannot|never|unable to|failed to|fails to)"
    r" (?!find|found|detect|see\b|saw|identify|confirm|report|have|know|plan|need|say|mean)[a-z]+"
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
    r"\b(?:but|open(?:ed|s)?|back|fine|ok|okay|recovered|resum\w+|solved|fixed|until|before)\b", re.IGNORECASE
)
_REASON_START = re.compile(
    r"^(?:it|this|that|(?:this|that|the) event|this one|because|due to|since|of|for|by|the|note|on|as"
    r"|owing to|thanks to|and)\b[ :]*",
    re.IGNORECASE,
)
_NEGATIONS = (("can't", "cannot"), ("can not", "cannot"), ("won't", "will not"), ("n't", " not"))


def read_giving_up(sentence: str) -> SentenceReport | None:
    """Return which telescopes give up, and why, for a sentence that says so; None for others."""
    said = " ".join(sentence.replace("’", "'").strip(" .!").split())
    for short, long in _NEGATIONS:
        said = re.sub(rf"{short}\b", long, said, flags=re.IGNORECASE)
    telescopes, rest = telescopes_at_start(said)
    if telescopes:
        return _giving_up(telescopes, re.sub(r"^(?:'s)?[ :,;-]*", "", rest))
    for at in () if _ASKS.match(said) else _AT.finditer(said):
        telescopes, rest = telescopes_at_start(said[at.end() :])
        if telescopes:
            return _giving_up(telescopes, f"{said[: at.start()].strip()} {rest.strip()}".strip())
    return None


def _giving_up(telescopes: tuple[str, ...], said: str) -> SentenceReport | None:
    found = _STATE.fullmatch(said)
    if found is None or _RECOVERED.search(found["rest"]):
        return None
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
