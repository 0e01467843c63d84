// What the keyboard does, in a small window that `?` opens.
import { useEffect, useRef } from "react";
import { typing } from "./hooks";

const KEYS = [
  ["/", "Go to the question or search box"],
  ["Enter", "Ask or search"],
  ["Shift Enter", "A new line in the question"],
  ["↑", "Your last question, in an empty box"],
  ["Esc", "Close the source, or stop the answer"],
  ["?", "This list"],
] as const;

export function Keys() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "?" || typing(event) || document.querySelector("dialog:modal")) return;
      event.preventDefault();
      dialog.current?.showModal();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
  return (
    <>
      <button type="button" className="icon keys" aria-label="Keyboard" title="Keyboard (?)" onClick={() => dialog.current?.showModal()}>?</button>
      <dialog ref={dialog} className="help" aria-labelledby="help-title" onClick={(event) => event.target === dialog.current && dialog.current.close()}>
        <div className="inside">
          <div className="head">
            <h2 id="help-title">Keyboard</h2>
            <button type="button" className="icon" aria-label="Close the list of keys" onClick={() => dialog.current?.close()}>✕</button>
          </div>
          <dl>{KEYS.map(([key, does]) => <div key={key}><dt>{key.split(" ").map((one) => <kbd key={one}>{one}</kbd>)}</dt><dd>{does}</dd></div>)}</dl>
        </div>
      </dialog>
    </>
  );
}
