/** Where the reader is: `#` (the list), `#@app` (the app's home), `#channel`, `#channel/thread`. */
import { useSyncExternalStore } from "react";

export interface Place {
  home: boolean;
  channel: string | null;
  thread: string | null;
}

export function read(hash: string): Place {
  const [name = "", thread = null] = decodeURIComponent(hash.replace(/^#/, "")).split("/");
  return { home: name === "@app", channel: name && name !== "@app" ? name : null, thread };
}

export const channelHash = (name: string, thread?: string): string =>
  `#${encodeURIComponent(name)}${thread ? `/${thread}` : ""}`;

const subscribe = (listener: () => void): (() => void) => {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
};

export const useHash = (): string => useSyncExternalStore(subscribe, () => window.location.hash);
