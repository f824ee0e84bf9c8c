/** The wire between the page and the local Slack: nouns as the server sends them, and its few calls. */

export type Json = { [key: string]: unknown };
export type Block = Json & { type: string; block_id?: string };
export type Option = { text: { type: string; text: string }; value: string; url?: string };
export type Element = Json & { type: string; action_id?: string; options?: Option[]; option_groups?: { options: Option[] }[] };

export interface Message {
  ts: string;
  channel: string;
  user: string;
  username?: string;
  bot: boolean;
  text: string;
  blocks?: Block[] | null;
  thread_ts?: string | null;
  reply_count: number;
  reply_users: string[];
  latest_reply?: string | null;
  edited: unknown;
  deleted?: boolean;
  broadcast?: boolean;
  ephemeral?: boolean;
  /** Ids of files shared with it. */
  files?: string[];
}

export interface User {
  id: string;
  name: string;
  real_name: string;
  is_bot: boolean;
}

export interface Channel {
  id: string;
  name: string;
  private: boolean;
  archived: boolean;
  is_member: boolean;
  topic: string;
  bot_member: boolean;
  /** The conversation with the app alone. */
  is_im?: boolean;
}

export interface View {
  id: string;
  type: "modal" | "home";
  title?: { text: string };
  submit?: { text: string };
  close?: { text: string };
  blocks: Block[];
}

export interface SharedFile {
  id: string;
  url: string;
  mimetype: string;
  title: string;
  alt_text?: string;
  ready: boolean;
}

export interface Command {
  command: string;
  description: string;
  usage_hint: string;
  /** What may be typed after it, to be clicked. */
  examples: string[];
}

export interface State {
  team: { id: string; name: string };
  me: { id: string; name: string };
  users: User[];
  bot: { user_id: string; name: string };
  channels: Channel[];
  messages: Record<string, Message[]>;
  ephemerals: Record<string, Message[]>;
  view: View | null;
  home: View | null;
  files: Record<string, SharedFile>;
  commands: Command[];
}

/** What a message needs of the state to be drawn; it changes rarely, so that drawn messages can be kept. */
export type Frame = Pick<State, "me" | "users" | "channels" | "files">;

export type Event =
  | { type: "hello" }
  | { type: "message" | "message_changed" | "ephemeral" | "ephemeral_changed"; channel: string; message: Message }
  | { type: "message_deleted" | "ephemeral_deleted"; channel: string; ts: string }
  | { type: "channel"; channel: Channel }
  | { type: "view" | "home"; view: View | null }
  | { type: "file"; file: SharedFile };

/** What a pressed or changed element says, as Slack's `actions[0]` says it. */
export type Action = Json & { type: string; action_id: string; block_id: string };

export type Answer = { ok: boolean; error?: string; errors?: Record<string, string>; response_action?: string };

/** The person and the workspace may be chosen by `?user=U…&team=T…`, so that two windows are two people. */
const query = window.location.search;

export async function readState(): Promise<State> {
  const response = await fetch(`/sandbox/state${query}`);
  if (!response.ok) throw new Error(`The local Slack answered ${response.status} when asked for its state.`);
  return (await response.json()) as State;
}

export const listen = (): EventSource => new EventSource(`/sandbox/events${query}`);

/** One call; what went wrong is in the answer's `error`, as one sentence or one of Slack's names. */
export async function call(path: string, body: Json): Promise<Answer> {
  try {
    const response = await fetch(`/sandbox/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = (await response.json().catch(() => ({}))) as Partial<Answer>;
    return response.ok ? { ok: true, ...answer } : { ...answer, ok: false, error: answer.error ?? `the local Slack answered ${response.status}` };
  } catch {
    return { ok: false, error: "the local Slack can't be reached" };
  }
}
