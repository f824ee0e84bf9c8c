/** A modal view: a form over the page, with its values kept until it is submitted. */
import { useEffect, useRef, useState, type FormEvent } from "react";
import { call, type Frame, type Json, type View } from "./api";
import { Blocks } from "./blocks";
import { empty, initial, type Change } from "./interactions";
import { unescaped } from "./mrkdwn";
import { blockId, prepare, type Control } from "./prepare";

const name = (view: View): string => `view:${view.id}`;

/** Every input of the view: its block, its control, whether it may stay empty. */
function inputs(view: View, frame: Frame): { block: string; optional: boolean; control: Control }[] {
  return view.blocks.flatMap((block, index) => {
    if (block.type !== "input") return [];
    const id = blockId(block, index);
    const [control] = prepare(block, id, `${name(view)}:${id}`, {}, frame).controls.values();
    return control ? [{ block: id, optional: block["optional"] === true, control }] : [];
  });
}

export function Dialog({ view, frame, onClosed }: { view: View; frame: Frame; onClosed: (id: string) => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const values = useRef<Record<string, Record<string, Change["value"]>>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);

  const about = { user: frame.me.id, view_id: view.id };

  const state = (): Json => {
    const asked = inputs(view, frame).map(({ block, control }) => {
      const action = control.element.action_id ?? "";
      return [block, { [action]: values.current[block]?.[action] ?? initial(control) }] as const;
    });
    return { values: { ...values.current, ...Object.fromEntries(asked) } };
  };

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const missing = inputs(view, frame).filter(
      ({ block, optional, control }) => !optional && empty(values.current[block]?.[control.element.action_id ?? ""] ?? initial(control)),
    );
    setRefusal(null);
    setErrors(Object.fromEntries(missing.map(({ block }) => [block, "Please complete this required field."])));
    if (missing.length > 0) return;
    setBusy(true);
    const answer = await call("view/submit", { ...about, state: state() });
    setBusy(false);
    if (answer.errors) setErrors(answer.errors);
    else if (!answer.ok) setRefusal(`We had some trouble connecting: ${answer.error ?? "unknown error"}.`);
  };

  const close = async (): Promise<void> => {
    await call("view/close", about);
    onClosed(view.id);
  };

  const act = async ({ control, value }: Change): Promise<void> => {
    const answer = await call("view/action", { ...about, action_id: control.element.action_id, block_id: control.block, state: state(), ...value });
    if (!answer.ok) setRefusal(`That did not work: ${answer.error ?? "unknown error"}.`);
  };

  return (
    <dialog ref={dialog} className="modal" aria-labelledby="modal-title" onCancel={(event) => { event.preventDefault(); void close(); }}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <header>
          <h2 id="modal-title">{unescaped(view.title?.text ?? "")}</h2>
          <button type="button" className="plain" aria-label="Close" onClick={() => void close()}>✕</button>
        </header>
        <div className="modal-blocks">
          {refusal && <p className="refusal" role="alert">{refusal}</p>}
          <Blocks
            name={name(view)}
            blocks={view.blocks}
            around={frame}
            errors={errors}
            onAction={(change) => void act(change)}
            onValue={({ control, value }) => {
              const action = control.element.action_id ?? "";
              values.current[control.block] = { ...values.current[control.block], [action]: value };
              setErrors(({ [control.block]: _, ...rest }) => rest);
            }}
          />
        </div>
        <footer>
          <button type="button" className="button" onClick={() => void close()}>{unescaped(view.close?.text ?? "Cancel")}</button>
          {view.submit && <button type="submit" className="button primary" disabled={busy}>{unescaped(view.submit.text)}</button>}
        </footer>
      </form>
    </dialog>
  );
}
