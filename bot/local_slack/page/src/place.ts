/** Where the reader is: `#` (the list), `#@app` (the app's home), `#channel`, `#channel/thread`, `#@app-name` (its messages). */
import { useSyncExternalStore } from "react";
import type { Channel } from "./api";

export interface Place {
  home: boolean;
  channel: string | null;
  thread: string | null;
}

export function read(hash: string): Place {
  const [name = "", thread = null] = decodeURIComponent(hash.replace(/^#/, "")).split("/");
  return { home: name === "@app", channel: name && name !== "@app" ? name : null, thread };
}

/** A channel's name in an address. */
export const slug = (channel: Channel): string => (channel.is_im ? `@${channel.name}` : channel.name);

export const channelHash = (channel: Channel, thread?: string): string =>
  `#${encodeURIComponent(slug(channel))}${thread ? `/${thread}` : ""}`;

const subscribe = (listener: () => void): (() => void) => {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
};

export const useHash = (): string => useSyncExternalStore(subscribe, () => window.location.hash);
