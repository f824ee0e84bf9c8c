/** One message: who, when, what, its edited mark, its replies. */
import { memo } from "react";
import { call, type Block, type Frame, type Message as Said } from "./api";
import { Avatar } from "./avatar";
import { Blocks } from "./blocks";
import type { Change } from "./interactions";
import { spoken } from "./mrkdwn";
import { channelHash } from "./place";
import { author, isReply, nameOf } from "./state";
import { clock, dayName, sameDay, since, whole } from "./time";

interface Props {
  frame: Frame;
  message: Said;
  /** Written right after another one by the same author: no name, no picture. */
  follows: boolean;
  inThread: boolean;
  onError: (sentence: string) => void;
}

const press = async ({ frame, message, onError }: Props, { control, value }: Change): Promise<void> => {
  const answer = await call("press", {
    user: frame.me.id,
    channel: message.channel,
    ts: message.ts,
    ephemeral: message.ephemeral ?? false,
    action_id: control.element.action_id,
    block_id: control.block,
    ...value,
  });
  if (!answer.ok) onError(`That did not work: ${answer.error ?? "unknown error"}.`);
};

function Replies({ frame, message }: { frame: Frame; message: Said }) {
  const channel = frame.channels.find((each) => each.id === message.channel);
  if (!message.reply_count || !channel) return null;
  return (
    <a className="replies" href={channelHash(channel, message.ts)}>
      {message.reply_users.slice(0, 3).map((id) => (
        <Avatar key={id} id={id} name={nameOf(frame)(id)} size="small" />
      ))}
      <span className="replies-count">
        {message.reply_count} {message.reply_count === 1 ? "reply" : "replies"}
      </span>
      {message.latest_reply && <span className="replies-last">Last reply {since(message.latest_reply, new Date())}</span>}
    </a>
  );
}

/** What is drawn of a message: its blocks, or else its text; then the files shared with it. */
function drawn(message: Said, frame: Frame): Block[] {
  const words = message.text ? [{ type: "section", block_id: "text", text: { type: "mrkdwn", text: message.text } }] : [];
  const files = (message.files ?? []).map((id) => ({
    type: "image",
    block_id: id,
    slack_file: { id },
    alt_text: frame.files[id]?.alt_text ?? "",
    title: { type: "plain_text", text: frame.files[id]?.title ?? id },
  }));
  return [...(message.blocks?.length ? message.blocks : words), ...files];
}

export const Message = memo(function Message(props: Props) {
  const { frame, message, follows, inThread } = props;
  const name = author(frame, message);
  const channel = frame.channels.find((each) => each.id === message.channel);
  const blocks = drawn(message, frame);
  const thread = channel && !message.ephemeral ? channelHash(channel, message.thread_ts ?? message.ts) : null;
  return (
    <article
      className={`message${follows ? " follows" : ""}${message.ephemeral ? " ephemeral" : ""}`}
      aria-label={`${name}, ${clock(message.ts)}`}
      data-ts={message.ts}
      title={message.blocks?.length ? `Notification: ${spoken(message.text, nameOf(frame))}` : undefined}
    >
      {follows ? (
        <time className="gutter-time" title={whole(message.ts)}>{clock(message.ts)}</time>
      ) : (
        <Avatar id={message.user} name={name} />
      )}
      <div className="message-body">
        {message.ephemeral && <p className="only-you">👁 Only visible to you</p>}
        {!follows && (
          <header className="message-head">
            <strong>{name}</strong>
            {message.bot && <span className="app-badge">APP</span>}
            <time title={whole(message.ts)}>{clock(message.ts)}</time>
          </header>
        )}
        {isReply(message) && !inThread && thread && <a className="in-thread" href={thread}>replied to a thread</a>}
        {message.deleted ? (
          <p className="gone">This message was deleted.</p>
        ) : (
          <Blocks
            name={`${inThread ? "thread" : "list"}:${message.ts}`}
            blocks={blocks}
            around={frame}
            onAction={(change) => void press(props, change)}
          />
        )}
        {!!message.edited && <span className="edited" title="Edited by its author">(edited)</span>}
        {!inThread && <Replies frame={frame} message={message} />}
      </div>
      {thread && !inThread && (
        <div className="hover-bar">
          <a href={thread} aria-label="Reply in thread" title="Reply in thread">💬</a>
        </div>
      )}
    </article>
  );
});

const CLOSE_SECONDS = 300;

/** Messages with their date dividers, and a line above `newFrom`, the first one that wasn't read yet. */
export function Messages(props: Omit<Props, "message" | "follows"> & { messages: Said[]; newFrom?: string | undefined }) {
  const { messages, newFrom, ...rest } = props;
  return messages.map((message, i) => {
    const before = messages[i - 1];
    const newDay = !before || !sameDay(before.ts, message.ts);
    const follows =
      !newDay &&
      before.user === message.user &&
      before.username === message.username &&
      !before.ephemeral &&
      !before.reply_count &&
      !message.reply_count &&
      !message.ephemeral &&
      !(props.inThread && i === 1) &&
      Number(message.ts) - Number(before.ts) < CLOSE_SECONDS;
    return (
      <div key={`${message.ts}${message.ephemeral ? "e" : ""}`}>
        {newDay && !props.inThread && <Divider ts={message.ts} />}
        {message.ts === newFrom && <div className="new" role="separator" aria-label="New messages">New</div>}
        <Message {...rest} message={message} follows={follows} />
        {props.inThread && i === 0 && <ReplyCount count={messages.length - 1} />}
      </div>
    );
  });
}


const Divider = ({ ts }: { ts: string }) => (
  <div className="day" role="separator" aria-label={dayName(ts, new Date())}>
    <span>{dayName(ts, new Date())}</span>
  </div>
);

const ReplyCount = ({ count }: { count: number }) => (
  <div className="reply-count" role="separator">
    <span>{count === 0 ? "No replies yet" : `${count} ${count === 1 ? "reply" : "replies"}`}</span>
  </div>
);
