/**
 * What a click or a change inside a drawn block means. slack-blocks-to-jsx tells nobody what was pressed, so the
 * events are read where they bubble to: the element's id leads back to its JSON.
 */
import type { Action, Option } from "./api";
import type { Control } from "./prepare";

export interface Change {
  id: string;
  control: Control;
  /** The element's new value in the shape of Slack's `actions[0]` and of a view's `state.values`. */
  value: Omit<Action, "action_id" | "block_id">;
}

/** The control in which `target` stands. */
function enclosing(target: Element, controls: Map<string, Control>): [string, HTMLElement, Control] | null {
  for (let node: Element | null = target; node; node = node.parentElement) {
    const control = controls.get(node.id);
    if (control) return [node.id, node as HTMLElement, control];
  }
  return null;
}

const POPUP = '[id="static_select_popup"], [id^="overflow_menu_popup_"]';

/** A press inside an open list may not reach the package's listener on the document: it would close the list. */
export function keepListsOpen(root: HTMLElement): void {
  root.addEventListener("mousedown", (event) => {
    if ((event.target as Element).closest(POPUP)) event.stopPropagation();
  });
}

const matching = (options: Option[], search: string): Option[] =>
  options.filter((option) => option.text.text.toLowerCase().includes(search.toLowerCase()));

function optionAt(target: Element, node: HTMLElement, control: Control): Option | undefined {
  const row = target.closest('[tabindex="0"]');
  const popup = target.closest(POPUP);
  if (!row || !popup) return undefined;
  const search = control.element.type === "overflow" ? "" : (node.querySelector<HTMLInputElement>(":scope > input")?.value ?? "");
  const options = (control.groups ?? [control.options]).flatMap((group) => matching(group, search));
  return options[[...popup.querySelectorAll('[tabindex="0"]')].indexOf(row)];
}

const SELECTED: [RegExp, string][] = [
  [/users_select$/, "selected_user"],
  [/conversations_select$/, "selected_conversation"],
  [/channels_select$/, "selected_channel"],
];

/** The value of an element whose chosen options are `chosen`. */
export function selection(type: string, chosen: Option[]): Change["value"] {
  const name = SELECTED.find(([pattern]) => pattern.test(type))?.[1];
  if (type.startsWith("multi_") || type === "checkboxes") {
    return name ? { type, [`${name}s`]: chosen.map((each) => each.value) } : { type, selected_options: chosen };
  }
  return name ? { type, [name]: chosen[0]?.value ?? null } : { type, selected_option: chosen[0] ?? null };
}

/** A click: buttons, overflow menus and single selects. */
export function clicked(target: Element, controls: Map<string, Control>): Change | null {
  const found = enclosing(target, controls);
  if (!found) return null;
  const [id, node, control] = found;
  const { type } = control.element;
  if (type === "overflow" || (/_select$/.test(type) && !type.startsWith("multi_"))) {
    const option = optionAt(target, node, control);
    if (option) return { id, control, value: selection(type, [option]) };
    const opener = node.querySelector<HTMLElement>("[id='static_select_dropdown_button']");
    if (target.matches("input") && opener && !node.querySelector(POPUP)) opener.click();
    return null;
  }
  if (/^(button|workflow_button|icon_button)$/.test(type)) {
    return { id, control, value: { type, value: control.element["value"], text: control.element["text"] } };
  }
  if (type === "feedback_buttons") {
    const first = node.querySelector("button")?.contains(target);
    const button = control.element[first ? "positive_button" : "negative_button"] as { value?: string };
    return { id, control, value: { type, value: button.value } };
  }
  return null;
}

/** A change: text, numbers, dates, radio buttons, checkboxes and multiple selects. `before` is the last value. */
export function changed(
  target: HTMLInputElement,
  controls: Map<string, Control>,
  before: (id: string, control: Control) => Change["value"] | undefined,
): Change | null {
  const found = enclosing(target, controls);
  if (!found) return null;
  const [id, node, control] = found;
  const { type } = control.element;
  const boxes = [...node.querySelectorAll<HTMLInputElement>("input")].filter((box) => box.type === target.type);
  if (type === "radio_buttons") {
    return { id, control, value: selection(type, [control.options[boxes.indexOf(target)]].filter((each) => each !== undefined)) };
  }
  if (type === "checkboxes") {
    return { id, control, value: selection(type, control.options.filter((_, i) => boxes[i]?.checked)) };
  }
  if (type.startsWith("multi_")) {
    if (target.type !== "checkbox") return null;
    const search = node.querySelector<HTMLInputElement>(":scope > input")?.value ?? "";
    const option = matching(control.options, search)[boxes.indexOf(target)];
    if (!option) return null;
    const chosen = selectedOptions(before(id, control), control);
    const rest = chosen.filter((each) => each.value !== option.value);
    return { id, control, value: selection(type, rest.length < chosen.length ? rest : [...chosen, option]) };
  }
  const text = target.value === "" ? null : target.value;
  switch (type) {
    case "datepicker":
      return { id, control, value: { type, selected_date: text } };
    case "timepicker":
      return { id, control, value: { type, selected_time: text } };
    case "datetimepicker": {
      const [day, time] = [...node.querySelectorAll("input")].map((each) => each.value);
      const seconds = day && time ? Math.floor(new Date(`${day}T${time}`).getTime() / 1000) : null;
      return { id, control, value: { type, selected_date_time: seconds } };
    }
    default:
      return /_input$/.test(type) ? { id, control, value: { type, value: text } } : null;
  }
}

function selectedOptions(value: Change["value"] | undefined, control: Control): Option[] {
  if (!value) return (control.element["initial_options"] as Option[] | undefined) ?? [];
  const ids = Object.values(value).find(Array.isArray) as (Option | string)[] | undefined;
  const values = (ids ?? []).map((each) => (typeof each === "string" ? each : each.value));
  return control.options.filter((each) => values.includes(each.value));
}

/** What an element says before anybody has touched it. */
export function initial(control: Control): Change["value"] {
  const { element } = control;
  const { type } = element;
  if (/^(checkboxes|radio_buttons)$|_select$/.test(type)) {
    const one = element["initial_option"] as Option | undefined;
    return selection(type, (element["initial_options"] as Option[] | undefined) ?? (one ? [one] : []));
  }
  const names: Record<string, [string, string]> = {
    datepicker: ["selected_date", "initial_date"],
    timepicker: ["selected_time", "initial_time"],
    datetimepicker: ["selected_date_time", "initial_date_time"],
  };
  const [name, from] = names[type] ?? ["value", "initial_value"];
  return { type, [name]: element[from] ?? null };
}

/** Whether nothing was given. */
export const empty = (value: Change["value"]): boolean =>
  Object.entries(value).every(
    ([key, each]) => key === "type" || each === null || each === undefined || each === "" || (Array.isArray(each) && each.length === 0),
  );
