/** The box in which to type messages and slash commands. */
import { useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";
import { call, type Command, type State } from "./api";

interface Props {
  state: State;
  channel: string;
  thread?: string;
  placeholder: string;
}

const suggestions = (commands: Command[], text: string): Command[] =>
  /^\/\S*$/.test(text) ? commands.filter((each) => each.command.startsWith(text)) : [];

/** Errors of slash commands that Slackbot tells the person about in the channel. */
const TOLD = new Set(["invalid_command", "not_in_thread", "operation_timeout", "dispatch_failed"]);

export function Composer({ state, channel, thread, placeholder }: Props) {
  const [text, setText] = useState("");
  const [refusal, setRefusal] = useState<string | null>(null);
  const [chosen, setChosen] = useState(0);
  const box = useRef<HTMLTextAreaElement>(null);
  const offered = suggestions(state.commands, text);
  // Slash commands don't work in threads.
  const examples = thread ? [] : state.commands.flatMap(({ command, examples }) => examples.map((each) => `${command} ${each}`));
  const exact = offered.length === 1 && offered[0]?.command === text;

  useLayoutEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 200)}px`;
  }, [text]);

  const take = (command: Command): void => {
    setText(`${command.command} `);
    setChosen(0);
    box.current?.focus();
  };

  const send = async (said: string, draft: string): Promise<void> => {
    if (!said) return;
    setText(draft);
    setRefusal(null);
    const answer = await call("say", { user: state.me.id, channel, text: said, ...(thread ? { thread_ts: thread } : {}) });
    if (!answer.ok && !TOLD.has(answer.error ?? "")) {
      setRefusal(answer.error ?? "unknown error");
      setText((now) => now || said);
    }
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    const command = offered[chosen];
    if (offered.length > 0 && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      setChosen((chosen + (event.key === "ArrowDown" ? 1 : offered.length - 1)) % offered.length);
    } else if (command && (event.key === "Tab" || (event.key === "Enter" && !exact))) {
      event.preventDefault();
      take(command);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void send(text.trim(), "");
    }
  };

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send(text.trim(), "");
      }}
    >
      {offered.length > 0 && (
        <ul className="suggestions" role="listbox" aria-label="Slash commands" id={`commands-${thread ?? "channel"}`}>
          {offered.map((each, i) => (
            <li key={each.command} role="option" aria-selected={i === chosen} onMouseDown={(event) => { event.preventDefault(); take(each); }}>
              <b>{each.command}</b> <span>{each.usage_hint}</span>
              <small>{each.description}</small>
            </li>
          ))}
        </ul>
      )}
      {examples.length > 0 && (
        <div className="examples" role="group" aria-label="Commands to try">
          {examples.map((each) => (
            <button key={each} type="button" onClick={() => void send(each, text)}>{each}</button>
          ))}
        </div>
      )}
      {refusal && <p className="refusal" role="alert">Not sent: {refusal}</p>}
      <div className="composer-box">
        <textarea
          ref={box}
          rows={1}
          autoFocus={window.matchMedia("(min-width: 768px)").matches}
          value={text}
          placeholder={placeholder}
          aria-label={placeholder}
          aria-autocomplete="list"
          aria-controls={offered.length > 0 ? `commands-${thread ?? "channel"}` : undefined}
          onChange={(event) => { setText(event.target.value); setChosen(0); }}
          onKeyDown={onKeyDown}
        />
        <button type="submit" className="send" aria-label="Send now" disabled={!text.trim()}>
          <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><path fill="currentColor" d="M2.5 3.2 18 10 2.5 16.8 4.6 11 12 10 4.6 9z" /></svg>
        </button>
      </div>
    </form>
  );
}
