/** What the page knows, and how each event of the local Slack changes it. Pure. */
import type { Channel, Event, Frame, Message, State } from "./api";

const byTime = (a: Message, b: Message): number => Number(a.ts) - Number(b.ts);

const put = (list: Message[] | undefined, message: Message): Message[] =>
  [...(list ?? []).filter((each) => each.ts !== message.ts), message].sort(byTime);

const without = (list: Message[] | undefined, ts: string): Message[] => (list ?? []).filter((each) => each.ts !== ts);

const putChannel = (channels: Channel[], channel: Channel): Channel[] =>
  channels.some((each) => each.id === channel.id)
    ? channels.map((each) => (each.id === channel.id ? channel : each))
    : [...channels, channel];

export function after(state: State, event: Event): State {
  switch (event.type) {
    case "message":
    case "message_changed":
      return { ...state, messages: { ...state.messages, [event.channel]: put(state.messages[event.channel], event.message) } };
    case "ephemeral":
    case "ephemeral_changed":
      return { ...state, ephemerals: { ...state.ephemerals, [event.channel]: put(state.ephemerals[event.channel], event.message) } };
    case "message_deleted":
      return { ...state, messages: { ...state.messages, [event.channel]: without(state.messages[event.channel], event.ts) } };
    case "ephemeral_deleted":
      return { ...state, ephemerals: { ...state.ephemerals, [event.channel]: without(state.ephemerals[event.channel], event.ts) } };
    case "channel":
      return { ...state, channels: putChannel(state.channels, event.channel) };
    case "view":
      return { ...state, view: event.view };
    case "home":
      return { ...state, home: event.view };
    case "file":
      return { ...state, files: { ...state.files, [event.file.id]: event.file } };
    case "hello":
      return state;
  }
}

export const isReply = (message: Message): boolean => !!message.thread_ts && message.thread_ts !== message.ts;

/** A channel's own list: roots, replies that were also sent to the channel, answers only its reader sees. */
export const inChannel = (state: State, channel: string): Message[] =>
  [
    ...(state.messages[channel] ?? []).filter((each) => !isReply(each) || each.broadcast),
    ...(state.ephemerals[channel] ?? []).filter((each) => !isReply(each)).map((each) => ({ ...each, ephemeral: true })),
  ].sort(byTime);

/** A thread: its root first, then its replies. */
export const inThread = (state: State, channel: string, root: string): Message[] =>
  [
    ...(state.messages[channel] ?? []).filter((each) => each.ts === root || each.thread_ts === root),
    ...(state.ephemerals[channel] ?? []).filter((each) => each.thread_ts === root).map((each) => ({ ...each, ephemeral: true })),
  ].sort(byTime);

export const nameOf = (state: Frame) => (id: string): string =>
  state.users.find((each) => each.id === id)?.name ?? state.channels.find((each) => each.id === id)?.name ?? id;

export const author = (state: Frame, message: Message): string => {
  if (message.username) return message.username;
  if (message.user === "USLACKBOT") return "Slackbot";
  const user = state.users.find((each) => each.id === message.user);
  return user ? user.real_name || user.name : message.user;
};

/** Messages of others after `read`, in the channel itself. */
export const unread = (state: State, channel: string, read: string | undefined): number =>
  inChannel(state, channel).filter((each) => !each.ephemeral && each.user !== state.me.id && Number(each.ts) > Number(read ?? 0)).length;
