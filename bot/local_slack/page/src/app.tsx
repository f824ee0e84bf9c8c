/** The whole page: side bar, messages or home, thread, dialog, notifications. */
import { useCallback, useEffect, useMemo, useRef, useState, type RefObject } from "react";
import { call, listen, readState, type Channel, type Event, type Frame, type Message, type State } from "./api";
import { Avatar } from "./avatar";
import { Blocks } from "./blocks";
import { Composer } from "./composer";
import { Dialog } from "./dialog";
import type { Change } from "./interactions";
import { Messages } from "./message";
import { spoken } from "./mrkdwn";
import { channelHash, read as readPlace, slug, useHash, type Place } from "./place";
import { Sidebar } from "./sidebar";
import { after, author, inChannel, inThread, isReply, nameOf } from "./state";

interface Toast {
  id: string;
  title: string;
  text: string;
  href: string;
}

const TOAST_MILLISECONDS = 8000;

/** The state, kept up to date by the events; on each (re)connection it is read afresh. */
function useWorkspace(onMessage: (state: State, message: Message) => void) {
  const [state, setState] = useState<State | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const latest = useRef<State | null>(null);
  /** The dialog that was open before this page was: in Slack a page that is loaded has none. */
  const stale = useRef<string | null>(null);

  useEffect(() => {
    // What happens while the state is on its way may be missing in it, so it is applied again afterwards.
    let meanwhile: Event[] | null = [];
    const refresh = async (): Promise<void> => {
      meanwhile ??= [];
      try {
        const read = await readState();
        if (!latest.current) stale.current = read.view?.id ?? null;
        latest.current = (meanwhile ?? []).reduce(after, read);
        meanwhile = null;
        setState(latest.current);
        setTrouble(null);
      } catch (error) {
        setTrouble(error instanceof Error ? error.message : String(error));
      }
    };
    const source = listen();
    source.onerror = () => setTrouble("The local Slack can't be reached; trying again…");
    source.onmessage = ({ data }: MessageEvent<string>) => {
      const event = JSON.parse(data) as Event;
      if (event.type === "hello") return void refresh();
      meanwhile?.push(event);
      if (!latest.current) return undefined;
      latest.current = after(latest.current, event);
      setState(latest.current);
      if (event.type === "message") onMessage(latest.current, event.message);
      return undefined;
    };
    return () => source.close();
  }, [onMessage]);

  const shown = state?.view?.id === stale.current && state?.view ? { ...state, view: null } : state;
  // Only the dialog that was closed: its answer may come after the next one was opened.
  const clearView = (id: string): void => setState((before) => (before?.view?.id === id ? { ...before, view: null } : before));
  return { state: shown, trouble, clearView };
}

/** Up to where each channel was read, in this browser. */
function useRead(team: string | undefined): [Record<string, string>, (channel: string, ts: string) => void] {
  const key = `read:${team ?? ""}`;
  const [read, setRead] = useState<Record<string, string>>({});
  useEffect(() => {
    if (team) setRead(JSON.parse(window.localStorage.getItem(key) ?? "{}") as Record<string, string>);
  }, [key, team]);
  const mark = useCallback(
    (channel: string, ts: string) =>
      setRead((before) => {
        if (before[channel] === ts) return before;
        const now = { ...before, [channel]: ts };
        window.localStorage.setItem(key, JSON.stringify(now));
        return now;
      }),
    [key],
  );
  return [read, mark];
}

const wide = (): boolean => window.matchMedia("(min-width: 768px)").matches;

/** On a desktop something is always open; a phone shows the list of channels first, as Slack's app does. */
const opened = (place: Place, channels: Channel[]): Place =>
  !place.home && !place.channel && wide() ? { ...place, channel: first(channels) } : place;

const first = (channels: Channel[]): string | null =>
  channels.filter((each) => !each.is_im && !each.archived).map(slug)[0] ?? null;

export function App() {
  const hash = useHash();
  const place = useMemo(() => readPlace(hash), [hash]);
  const [toasts, setToasts] = useState<Toast[]>([]);
  const [error, setError] = useState<string | null>(null);
  const [picture, setPicture] = useState<{ src: string; alt: string } | null>(null);
  const here = useRef<Place>(place);

  const notify = useCallback((state: State, message: Message) => {
    const channel = state.channels.find((each) => each.id === message.channel);
    if (!channel || message.user === state.me.id) return;
    const open = here.current;
    const seen = open.channel === slug(channel) && (!isReply(message) || open.thread === message.thread_ts) && !document.hidden;
    if (seen || (isReply(message) && open.channel !== slug(channel) && !message.broadcast)) return;
    const toast: Toast = {
      id: `${message.channel}:${message.ts}`,
      title: `${author(state, message)}${channel.is_im ? "" : ` in ${sign(channel)}${channel.name}`}`,
      text: spoken(message.text, nameOf(state)),
      href: channelHash(channel, isReply(message) ? (message.thread_ts ?? undefined) : undefined),
    };
    setToasts((before) => [...before.slice(-2), toast]);
    window.setTimeout(() => setToasts((before) => before.filter((each) => each.id !== toast.id)), TOAST_MILLISECONDS);
  }, []);

  const { state, trouble, clearView } = useWorkspace(notify);
  const [read, mark] = useRead(state?.team.id);
  const frame = useMemo<Frame | null>(
    () => state && { me: state.me, users: state.users, channels: state.channels, files: state.files },
    [state?.me, state?.users, state?.channels, state?.files],
  );
  const channels = state?.channels;
  const shownPlace = useMemo(() => opened(place, channels ?? []), [place, channels]);
  here.current = shownPlace;

  const channel = state?.channels.find((each) => slug(each) === shownPlace.channel);
  const newest = channel && state ? inChannel(state, channel.id).at(-1)?.ts : undefined;
  useEffect(() => {
    if (channel && newest) mark(channel.id, newest);
  }, [channel, newest, mark]);
  useEffect(() => {
    document.title = `${channel ? `#${channel.name}` : (state?.bot.name ?? "")} – ${state?.team.name ?? "Slack"} (local)`;
  }, [channel, state?.bot.name, state?.team.name]);

  if (!state || !frame) return <p className="waiting" role="status">{trouble ?? "Opening the workspace…"}</p>;

  const pane = shownPlace.thread ? "thread" : channel || shownPlace.home ? "main" : "list";
  return (
    <div
      className="page"
      data-pane={pane}
      onClick={({ target }) => {
        if (target instanceof HTMLImageElement && target.closest(".slack_blocks_to_jsx__image")) setPicture({ src: target.src, alt: target.alt });
      }}
    >
      <Sidebar state={state} place={shownPlace} read={read} />
      {shownPlace.home ? (
        <Home state={state} frame={frame} onError={setError} />
      ) : channel ? (
        <ChannelPane key={channel.id} state={state} frame={frame} channel={channel} read={read[channel.id]} onError={setError} />
      ) : (
        <main className="main empty">
          <p>{shownPlace.channel ? `There is no channel #${shownPlace.channel} here.` : "Choose a channel."}</p>
        </main>
      )}
      {channel && shownPlace.thread && (
        <Thread key={shownPlace.thread} state={state} frame={frame} channel={channel} root={shownPlace.thread} onError={setError} />
      )}
      {state.view && <Dialog key={state.view.id} view={state.view} frame={frame} onClosed={clearView} />}
      {picture && <Picture {...picture} onClosed={() => setPicture(null)} />}
      <div className="toasts" role="status" aria-live="polite">
        {error && <button type="button" className="toast error" onClick={() => setError(null)}>{error}</button>}
        {trouble && <p className="toast error">{trouble}</p>}
        {toasts.map((toast) => (
          <a key={toast.id} className="toast" href={toast.href} onClick={() => setToasts((before) => before.filter((each) => each !== toast))}>
            <strong>{toast.title}</strong>
            <span>{toast.text}</span>
          </a>
        ))}
      </div>
    </div>
  );
}

const sign = (channel: Channel): string => (channel.is_im ? "" : channel.private ? "🔒" : "#");

interface PaneProps {
  state: State;
  frame: Frame;
  channel: Channel;
  onError: (sentence: string) => void;
}

const NEAR_END = 60;

/** How far to scroll to follow: to the end, but the newest message's beginning stays in sight if it is taller than the list. */
function endOf(box: HTMLElement): number {
  const newest = [...box.querySelectorAll<HTMLElement>("article")].at(-1);
  const end = box.scrollHeight - box.clientHeight;
  return newest ? Math.min(end, box.scrollTop + newest.getBoundingClientRect().top - box.getBoundingClientRect().top - 36) : end;
}

interface End {
  list: RefObject<HTMLDivElement | null>;
  /** Messages that came while the reader had scrolled up. */
  missed: number;
  toEnd: () => void;
}

/** Follows what comes, and what grows as its pictures load, unless the reader has scrolled up. */
function useEnd(count: number, newestIsForMe: boolean): End {
  const list = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const [left, setLeft] = useState<number | null>(null);
  const newest = useRef(count);
  newest.current = count;

  const follow = useCallback((): void => {
    const box = list.current;
    if (box && endOf(box) > box.scrollTop) box.scrollTop = endOf(box);
  }, []);
  const toEnd = useCallback((): void => {
    follows.current = true;
    setLeft(null);
    follow();
  }, [follow]);

  useEffect(() => {
    const box = list.current;
    if (!box) return undefined;
    let before = box.scrollTop;
    // Pictures that load change the distance to the end too, so only a move up is the reader's.
    const onScroll = (): void => {
      if (endOf(box) - box.scrollTop < NEAR_END) toEnd();
      else if (box.scrollTop < before && follows.current) {
        follows.current = false;
        setLeft(newest.current);
      }
      before = box.scrollTop;
    };
    const grown = new ResizeObserver(() => void (follows.current && follow()));
    box.addEventListener("scroll", onScroll);
    for (const child of box.children) grown.observe(child);
    grown.observe(box);
    return () => {
      box.removeEventListener("scroll", onScroll);
      grown.disconnect();
    };
  }, [follow, toEnd]);
  useEffect(() => {
    if (newestIsForMe) toEnd();
    else if (follows.current) follow();
  }, [count, newestIsForMe, follow, toEnd]);
  return { list, missed: left === null ? 0 : Math.max(0, count - left), toEnd };
}

/** The way back to the end for a reader who has scrolled up. */
function NewMessages({ missed, toEnd }: End) {
  if (missed === 0) return null;
  return (
    <button type="button" className="new-messages" onClick={toEnd}>
      {missed} new {missed === 1 ? "message" : "messages"} ↓
    </button>
  );
}

/** A picture as large as the window allows; a click or Escape closes it. */
function Picture({ src, alt, onClosed }: { src: string; alt: string; onClosed: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} className="picture" aria-label={alt || "Picture"} onClose={onClosed} onClick={onClosed}>
      <img src={src} alt={alt} />
    </dialog>
  );
}

const SHOWN_AT_FIRST = 200;

/** What I wrote, or what was answered to me alone. */
const isForMe = (state: State, message: Message | undefined): boolean => message?.user === state.me.id || !!message?.ephemeral;

function ChannelPane({ state, frame, channel, read, onError }: PaneProps & { read: string | undefined }) {
  const [limit, setLimit] = useState(SHOWN_AT_FIRST);
  const all = inChannel(state, channel.id);
  const messages = all.slice(-limit);
  const [newFrom] = useState(() => read && all.find((each) => Number(each.ts) > Number(read) && each.user !== state.me.id)?.ts);
  const end = useEnd(all.length, isForMe(state, messages.at(-1)));
  return (
    <main className="main" aria-label={`Channel ${channel.name}`}>
      <header className="bar">
        <a className="back" href="#" aria-label="Back to the channels">‹</a>
        <h2>{sign(channel)} {channel.name}</h2>
        {channel.is_im && <a className="tab" href="#@app">Home</a>}
        {channel.topic && <p title={channel.topic}>{channel.topic}</p>}
        {!channel.bot_member && !channel.is_im && <small className="absent">{state.bot.name} is not in this channel</small>}
      </header>
      <div className="list" ref={end.list} role="log" aria-live="polite" aria-label={`Messages in ${channel.name}`} tabIndex={0}>
        <div className="list-inner">
          {all.length > limit ? (
            <button type="button" className="button earlier" onClick={() => setLimit(limit + SHOWN_AT_FIRST)}>
              Show earlier messages
            </button>
          ) : (
            <div className="beginning">
              <h3>{sign(channel)} {channel.name}</h3>
              <p>This is the very beginning of the {channel.is_im ? "conversation" : "channel"}.</p>
            </div>
          )}
          <Messages frame={frame} messages={messages} newFrom={newFrom} inThread={false} onError={onError} />
        </div>
      </div>
      <NewMessages {...end} />
      {channel.archived ? <p className="archived">You are viewing an archived channel.</p> : <Composer state={state} channel={channel.id} placeholder={`Message ${channel.is_im ? "" : "#"}${channel.name}`} />}
    </main>
  );
}

function Thread({ state, frame, channel, root, onError }: PaneProps & { root: string }) {
  const messages = inThread(state, channel.id, root);
  const end = useEnd(messages.length, isForMe(state, messages.at(-1)));
  return (
    <aside className="thread" aria-label="Thread">
      <header className="bar">
        <a className="back" href={channelHash(channel)} aria-label="Back to the channel">‹</a>
        <h2>Thread</h2>
        <p>{sign(channel)} {channel.name}</p>
        <a className="close" href={channelHash(channel)} aria-label="Close thread">✕</a>
      </header>
      <div className="list" ref={end.list} role="log" aria-live="polite" aria-label="Replies" tabIndex={0}>
        <div className="list-inner">
          {messages.length === 0 && <p className="gone">There is no such message.</p>}
          <Messages frame={frame} messages={messages} inThread onError={onError} />
        </div>
      </div>
      <NewMessages {...end} />
      <Composer state={state} channel={channel.id} thread={root} placeholder="Reply…" />
    </aside>
  );
}

function Home({ state, frame, onError }: { state: State; frame: Frame; onError: (sentence: string) => void }) {
  const { home, bot, me } = state;
  const direct = state.channels.find((each) => each.is_im);
  useEffect(() => {
    void call("home/open", { user: me.id }).then((answer) => {
      if (!answer.ok) onError(`The home can't be opened: ${answer.error ?? "unknown error"}.`);
    });
  }, [me.id, onError]);

  const act = async ({ control, value }: Change): Promise<void> => {
    const answer = await call("view/action", { user: me.id, view_id: home?.id, action_id: control.element.action_id, block_id: control.block, ...value });
    if (!answer.ok) onError(`That did not work: ${answer.error ?? "unknown error"}.`);
  };

  return (
    <main className="main" aria-label={`${bot.name}, home`}>
      <header className="bar">
        <a className="back" href="#" aria-label="Back to the channels">‹</a>
        <Avatar id={bot.user_id} name={bot.name} size="small" />
        <h2>{bot.name}</h2>
        <span className="tab here">Home</span>
        {direct && <a className="tab" href={channelHash(direct)}>Messages</a>}
      </header>
      <div className="list home" tabIndex={0}>
        {home ? (
          <Blocks name={`home:${home.id}`} blocks={home.blocks} around={frame} onAction={(change) => void act(change)} />
        ) : (
          <p className="gone">{bot.name} has not published a home yet.</p>
        )}
      </div>
    </main>
  );
}
