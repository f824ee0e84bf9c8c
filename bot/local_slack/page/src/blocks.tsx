/** Blocks on the page: drawn by slack-blocks-to-jsx, each inside its own error boundary. */
import { Component, useLayoutEffect, useRef, useState, type ChangeEvent, type KeyboardEvent, type MouseEvent, type ReactNode } from "react";
import { Message as Drawn, type Block as DrawnBlock } from "slack-blocks-to-jsx";
import type { Block, Option } from "./api";
import { changed, clicked, initial, type Change } from "./interactions";
import { shown } from "./mrkdwn";
import { blockId, prepare, type Control, type Surroundings } from "./prepare";

class Boundary extends Component<{ block: Block; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override componentDidUpdate(before: { block: Block }): void {
    if (this.state.failed && before.block !== this.props.block) this.setState({ failed: false });
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <p className="undrawn" role="note">
        This block of type <code>{this.props.block.type}</code> could not be drawn.
      </p>
    );
  }
}

export interface Surface {
  /** Tells this message, dialog or home from the others on the page. */
  name: string;
  blocks: Block[];
  around: Surroundings;
  /** An element that acts at once (a button, a menu, a select) was used. */
  onAction: (change: Change) => void;
  /** Any element's value, as it is now; dialogs keep them until they are submitted. */
  onValue?: (change: Change) => void;
  /** One sentence to show under a block, by block id. */
  errors?: Record<string, string>;
}

const CONFIRM = ".slack_blocks_to_jsx__confirm_dialog";

function One({ surface, block, index }: { surface: Surface; block: Block; index: number }) {
  const id = blockId(block, index);
  const [picked, setPicked] = useState<Record<string, Option>>({});
  const values = useRef(new Map<string, Change["value"]>());
  const unconfirmed = useRef<Change | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const prepared = prepare(block, id, `${surface.name}:${id}`, picked, surface.around);
  const inInput = block.type === "input";

  useLayoutEffect(() => {
    for (const [name, control] of prepared.controls) describe(box.current, name, control, block, picked[name]);
    box.current?.querySelector(".slack_blocks_to_jsx__image_media_trigger button")?.setAttribute("aria-label", "Show or hide the picture");
  });

  const settle = (change: Change): void => {
    values.current.set(change.id, change.value);
    const { type } = change.control.element;
    if (type !== "overflow" && /_select$/.test(type) && !type.startsWith("multi_")) {
      const [value] = Object.entries(change.value).filter(([key]) => key !== "type").map(([, each]) => each);
      const option = change.control.options.find((each) => each.value === value || each === value);
      if (option) setPicked((before) => ({ ...before, [change.id]: option }));
    }
    surface.onValue?.(change);
    const dispatches = /_input$/.test(type) ? false : !inInput || block["dispatch_action"] === true;
    if (dispatches) surface.onAction(change);
  };

  const onClick = (event: MouseEvent): void => {
    const target = event.target as Element;
    const dialog = target.closest(CONFIRM);
    if (dialog) {
      const yes = [...dialog.querySelectorAll("button")].at(-1)?.contains(target);
      if (yes && unconfirmed.current) settle(unconfirmed.current);
      return;
    }
    const change = clicked(target, prepared.controls);
    // A menu of the last message opens below what the list shows.
    requestAnimationFrame(() => box.current?.querySelector('[id^="overflow_menu_popup_"]')?.scrollIntoView({ block: "nearest" }));
    if (!change) return;
    if (change.control.element["confirm"] && change.control.element.type !== "overflow") unconfirmed.current = change;
    else settle(change);
  };

  const onChange = (event: ChangeEvent<HTMLDivElement>): void => {
    const change = changed(
      event.target as unknown as HTMLInputElement,
      prepared.controls,
      (name, control) => values.current.get(name) ?? initial(control),
    );
    if (change) settle(change);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    if ((event.key === "Enter" || event.key === " ") && target.matches('[tabindex="0"]') && target.closest("[id*=_popup]")) {
      event.preventDefault();
      target.click();
    }
    if (event.key === "Enter" && target.matches("textarea") && prepared.controls.size === 1) {
      const [only] = prepared.controls.values();
      if (only && !only.element["multiline"]) {
        event.preventDefault();
        target.closest("form")?.requestSubmit();
      }
    }
  };

  const error = surface.errors?.[id];
  return (
    <div ref={box} className="block" data-block={block.type} data-invalid={error ? "" : undefined} onClick={onClick} onChange={onChange} onKeyDown={onKeyDown}>
      <Drawn withoutWrapper name="" logo="" blocks={prepared.blocks as unknown as DrawnBlock[]} hooks={hooks(surface.around)} />
      {error && (
        <p className="block-error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

/** Names and marks that the package leaves out: labels for its inputs, sizes by kind, a chosen option's weight. */
function describe(box: HTMLElement | null, name: string, control: Control, block: Block, picked: Option | undefined): void {
  const node = box?.querySelector<HTMLElement>(`[id="${CSS.escape(name)}"]`);
  if (!node) return;
  const { element } = control;
  node.dataset["control"] = element.type;
  node.dataset["action"] = element.action_id ?? "";
  node.toggleAttribute("data-multiline", element["multiline"] === true);
  node.toggleAttribute("data-picked", picked !== undefined || element["initial_option"] !== undefined);
  if (node.tabIndex === 0 && node.tagName === "DIV") node.removeAttribute("tabindex");
  const label = (block["label"] as { text: string } | undefined)?.text ?? (element["placeholder"] as { text: string } | undefined)?.text;
  for (const input of node.querySelectorAll("input, textarea")) {
    const type = input.getAttribute("type");
    if (label && type !== "checkbox" && type !== "radio") input.setAttribute("aria-label", label);
    if (input.getAttribute("tabindex") === "-1") input.setAttribute("tabindex", "0");
  }
}

type Named = { id: string; name?: string };

function hooks({ users, channels }: Surroundings) {
  return {
    user: ({ id }: Named) => {
      const user = users.find((each) => each.id === id.split("|")[0]);
      return <span className="mention">@{user?.name ?? id}</span>;
    },
    channel: ({ id, name }: Named) => {
      const channel = channels.find((each) => each.id === id);
      const known = channel?.name ?? name ?? id;
      return <a className="mention" href={`#${known}`}>#{known}</a>;
    },
    atHere: () => <span className="mention mention-all">@here</span>,
    atChannel: () => <span className="mention mention-all">@channel</span>,
    atEveryone: () => <span className="mention mention-all">@everyone</span>,
    link: ({ href, children }: { href: string; children?: ReactNode }) => (
      <a href={shown(href)} target="_blank" rel="noopener noreferrer">{children}</a>
    ),
    emoji: ({ name }: { name: string }, byDefault: (data: { name: string }) => ReactNode) => {
      const drawn = byDefault({ name });
      return drawn === name ? `:${name}:` : drawn;
    },
  } as never;
}

export function Blocks(surface: Surface) {
  return surface.blocks.map((block, index) => (
    <Boundary key={`${blockId(block, index)}:${block.type}`} block={block}>
      <One surface={surface} block={block} index={index} />
    </Boundary>
  ));
}
