/**
 * Slack's text, prepared for a renderer that reads it as Markdown.
 *
 * Slack's mrkdwn has three entities (&amp; &lt; &gt;) and a handful of marks; Markdown has many more, and
 * would swallow "# 1", "[194.3, -17.9]" or the "22" of "22:22:46". So every character that only Markdown
 * would read is replaced by a stand-in from Unicode's private use area, which `shown` turns back when the
 * text reaches the page (see jsx-runtime.ts).
 */

const STAND_IN = 0xe000;
const KEPT = 0xf000;

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">" };
const EMOJI = /:(?:[a-z][a-z0-9_+'-]*|[+-]1)(?:::skin-tone-[2-6])?:/gi;

export const unescaped = (text: string): string =>
  text.replace(/&(amp|lt|gt);/g, (whole, name: string) => ENTITIES[name] ?? whole);

const hidden = (text: string): string =>
  text.replace(/[!-/:-@[-`{-~]/g, (mark) => String.fromCharCode(STAND_IN + mark.charCodeAt(0)));

/** The text as people read it: stand-ins turned back, also those a URL encoder has escaped. */
export const shown = (text: string): string =>
  text
    .replace(/%EE%8[01]%[89AB][0-9A-F]/gi, decodeURIComponent)
    .replace(/[\ue021-\ue07e]/g, (mark) => String.fromCharCode(mark.charCodeAt(0) - STAND_IN));

const SAFE_LINK = /^(https?:\/\/|mailto:)/i;

const link = (url: string, label: string): string =>
  SAFE_LINK.test(url)
    ? `[${hidden(unescaped(label))}](${hidden(unescaped(url)).replaceAll(" ", "%20")})`
    : hidden(unescaped(label));

function token(inner: string): string {
  if (/^[@#!]/.test(inner)) {
    return `<${inner.replace(/&(?:amp|lt|gt);/g, (entity) => hidden(unescaped(entity)))}>`;
  }
  const bar = inner.indexOf("|");
  return bar < 0 ? link(inner, inner.replace(/^mailto:/, "")) : link(inner.slice(0, bar), inner.slice(bar + 1));
}

/** Hides each `mark` that doesn't open or close a styled run as Slack sees it: at the edges of words. */
function delimited(text: string, mark: "*" | "_" | "~", marker: string): string {
  const m = mark === "*" ? "\\*" : mark;
  const run = new RegExp(`(?<![\\p{L}\\p{N}])${m}(?=[^\\s${m}])([^${m}\\n]*)(?<=\\S)${m}(?![\\p{L}\\p{N}])`, "gu");
  return text.replace(run, `${marker}$1${marker}`).replaceAll(mark, hidden(mark)).replaceAll(marker, mark);
}

/** A `mrkdwn` text, ready for the renderer; bare addresses become links unless it is `verbatim`. */
export function mrkdwn(text: string, verbatim = false): string {
  const kept: string[] = [];
  const keep = (part: string): string => String.fromCharCode(KEPT + kept.push(part) - 1);
  let ready = text
    .replace(/[\ue000-\uf8ff]/g, "")
    .replace(/```([\s\S]+?)```/g, (_, code: string) => keep("```" + hidden(unescaped(code.replace(/^\n+|\n+$/g, ""))) + "```"))
    .replace(/`([^`\n]+)`/g, (_, code: string) => keep("`" + hidden(unescaped(code)) + "`"))
    .replace(/<([^<>\n]+)>/g, (_, inner: string) => keep(token(inner)))
    .replace(/https?:\/\/[^\s\uf000-\uf8ff]*[^\s\uf000-\uf8ff.,;:!?)\]'"*_~]/g, (url) => (verbatim ? url : keep(link(url, url))))
    .replace(EMOJI, (name) => keep(name))
    .replace(/^(?:&gt;|>) ?/gm, () => keep("> "));
  ready = ready
    .replace(/&(?:amp|lt|gt);/g, (entity) => hidden(unescaped(entity)))
    .replace(/[[\]\\|#$=<>&@:]/g, hidden)
    .replace(/^[-+]/gm, hidden)
    .replace(/^ +/gm, (spaces) => " ".repeat(spaces.length));
  ready = delimited(delimited(delimited(ready, "*", "\uf801"), "_", "\uf802"), "~", "\uf803");
  return ready.replace(/[\uf000-\uf7ff]/g, (mark) => kept[mark.charCodeAt(0) - KEPT] ?? "");
}

/** A `plain_text`: emoji names are read, nothing else. */
export function plainText(text: string): string {
  const names = text.match(EMOJI) ?? [];
  return text
    .split(EMOJI)
    .map((part, i) => hidden(unescaped(part)) + (names[i] ?? ""))
    .join("");
}

/** What a notification shows of a mrkdwn text: its words, without marks. `name` looks up users and channels. */
export function spoken(text: string, name: (id: string) => string): string {
  return unescaped(
    text
      .replace(/<([@#])([^>|]+)(?:\|([^>]*))?>/g, (_, sign: string, id: string, label?: string) => sign + (label || name(id)))
      .replace(/<!date\^[^>|]*\|([^>]*)>/g, "$1")
      .replace(/<!(here|channel|everyone)[^>]*>/g, "@$1")
      .replace(/<[^>|]+\|([^>]*)>/g, "$1")
      .replace(/<([^>]+)>/g, "$1"),
  );
}
