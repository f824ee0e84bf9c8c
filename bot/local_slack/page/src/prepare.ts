/**
 * A block, prepared for slack-blocks-to-jsx: texts as mrkdwn.ts makes them, files as addresses, the cells and
 * selects the package can't draw as ones it can, and every interactive element under an id of the page's own.
 */
import type { Block, Channel, Element, Json, Option, SharedFile, User } from "./api";
import { mrkdwn, plainText } from "./mrkdwn";

export interface Surroundings {
  users: User[];
  channels: Channel[];
  files: Record<string, SharedFile>;
}

/** An interactive element on the page: where it stands in its message, and the options it draws. */
export interface Control {
  element: Element;
  block: string;
  options: Option[];
  groups: Option[][] | null;
}

export interface Prepared {
  blocks: Block[];
  controls: Map<string, Control>;
}

const DRAWN = new Set(
  ("actions alert card carousel container context context_actions data_visualization divider header image input " +
    "markdown plan rich_text section table task_card video").split(" "),
);

const says = (text: string): Block => ({ type: "context", elements: [{ type: "mrkdwn", text: mrkdwn(text) }] });

const option = (value: string, text: string): Option => ({ value, text: { type: "plain_text", text } });

/** Selects of people and channels, whose lists the package leaves empty, as selects of these options. */
function peopled(element: Element, { users, channels }: Surroundings): Option[] | null {
  if (/users_select$/.test(element.type)) return users.map((user) => option(user.id, user.real_name || user.name));
  if (/(conversations|channels)_select$/.test(element.type)) {
    return channels.filter((channel) => !channel.archived).map((channel) => option(channel.id, `#${channel.name}`));
  }
  return null;
}

function initialIds(element: Element): string[] {
  const single = element["initial_user"] ?? element["initial_conversation"] ?? element["initial_channel"];
  const many = element["initial_users"] ?? element["initial_conversations"] ?? element["initial_channels"];
  return typeof single === "string" ? [single] : Array.isArray(many) ? (many as string[]) : [];
}

function control(element: Element, block: string, around: Surroundings): Control {
  const options = peopled(element, around);
  if (options) {
    const initial = options.filter((each) => initialIds(element).includes(each.value));
    const many = element.type.startsWith("multi_");
    return {
      element: { ...element, ...(many ? { initial_options: initial } : initial[0] && { initial_option: initial[0] }) },
      block,
      options,
      groups: null,
    };
  }
  const groups = element.option_groups?.map((group) => group.options) ?? null;
  return { element, block, options: groups?.flat() ?? element.options ?? [], groups };
}

const INTERACTIVE =
  /^(button|workflow_button|checkboxes|radio_buttons|overflow|datepicker|timepicker|datetimepicker|.*_select|.*_input|feedback_buttons|icon_button)$/;

/** Pictures: a file of the workspace by its address; nothing is asked of another host. */
function pictured(item: Json, files: Surroundings["files"]): string | null {
  const file = item["slack_file"] as { id?: string; url?: string } | undefined;
  const shared = Object.values(files).find((each) => each.id === file?.id || file?.url?.includes(each.id));
  const address = (item["image_url"] as string | undefined) ?? shared?.url;
  if (!address || shared?.ready === false) return null;
  const { hostname, protocol } = new URL(address, window.location.href);
  return protocol === "data:" || ["127.0.0.1", "localhost", window.location.hostname].includes(hostname) ? address : null;
}

const NO_PICTURE =
  "data:image/svg+xml," +
  encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#8886"/></svg>');

/** The id a block has in what is sent about it, also where its app gave it none. */
export const blockId = (block: Block, index: number): string => block.block_id ?? `block-${index}`;

/**
 * Prepares one block of a surface (a message, a dialog, the home). `prefix` makes its ids the page's own;
 * `picked` holds what was chosen in selects, which the package doesn't show by itself. A block of no sense throws.
 */
export function prepare(
  block: Block,
  id: string,
  prefix: string,
  picked: Record<string, Option>,
  around: Surroundings,
): Prepared {
  const controls = new Map<string, Control>();

  const walk = (value: unknown, block: string): unknown => {
    if (Array.isArray(value)) return value.map((each) => walk(each, block));
    if (typeof value !== "object" || value === null) return value;
    const item = value as Json & { type?: string; text?: unknown };
    if (item.type === "mrkdwn" && typeof item.text === "string") return { type: "mrkdwn", text: mrkdwn(item.text, item["verbatim"] === true) };
    if (item.type === "plain_text" && typeof item.text === "string") {
      return { type: "plain_text", text: plainText(item.text) };
    }
    if (item.type === "image" || item["slack_file"]) {
      const { slack_file: _, title, ...rest } = item;
      return { ...rest, ...(title ? { title: walk(title, block) } : {}), image_url: pictured(item, around.files) ?? NO_PICTURE };
    }
    if (item.type && INTERACTIVE.test(item.type)) return interactive(item as Element, block);
    return Object.fromEntries(Object.entries(item).map(([key, each]) => [key, walk(each, block)]));
  };

  const interactive = (element: Element, block: string): Json => {
    const id = `${prefix}:${controls.size}`;
    const entry = control(element, block, around);
    controls.set(id, entry);
    const ready = Object.fromEntries(
      Object.entries(entry.element).map(([key, each]) => [key, walk(each, block)]),
    ) as Element;
    const drawn: Element = { ...ready, action_id: id };
    if (entry.element.type.endsWith("_select")) {
      drawn.type = element.type.startsWith("multi_") ? "multi_static_select" : "static_select";
      if (!entry.groups) drawn.options = walk(entry.options, block) as Option[];
      const chosen = picked[id] ?? (entry.element["initial_option"] as Option | undefined);
      if (chosen) drawn["placeholder"] = walk({ ...chosen.text, type: "plain_text" }, block);
    }
    return drawn;
  };

  const cell = (item: Json): Json =>
    item["type"] === "rich_text" ? item : { type: "raw_text", text: plainText(String(item["text"] ?? item["value"] ?? "")) };

  const one = (block: Block): Block[] => {
    if (block.type === "table" || block.type === "data_table") {
      const rows = (block["rows"] as Json[][]).map((row) => row.map(cell));
      const caption = typeof block["caption"] === "string" ? [says(block["caption"])] : [];
      return [...caption, { ...block, type: "table", rows }];
    }
    if (block.type === "image" && pictured(block, around.files) === null) {
      return [says(block["slack_file"] ? "The picture is being processed…" : "A picture of another host: this page asks nothing of other hosts.")];
    }
    if (block.type === "input" && block["optional"]) {
      const label = block["label"] as { text: string };
      return [walk({ ...block, label: { ...label, text: `${label.text} (optional)` } }, id) as Block];
    }
    if (block.type === "rich_text" || block.type === "markdown") return [block];
    if (block.type === "container") {
      const { child_blocks: children, ...rest } = block;
      return [{ ...(walk(rest, id) as Block), child_blocks: ((children ?? []) as Block[]).flatMap(one) }];
    }
    return DRAWN.has(block.type) ? [walk(block, id) as Block] : [says(`This page can't draw a block of type “${block.type}”.`)];
  };

  return { blocks: one(block), controls };
}
