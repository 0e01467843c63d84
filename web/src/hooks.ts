// Small pieces of browser state as hooks.
import { useEffect, useState, useSyncExternalStore } from "react";

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = matchMedia(query);
      media.addEventListener("change", changed);
      return () => media.removeEventListener("change", changed);
    },
    () => matchMedia(query).matches,
  );
}

/** Loads once; a failure leaves the fallback, since the page works without the selector or the list. */
export function useLoaded<T>(load: () => Promise<T>, fallback: T): T {
  const [value, setValue] = useState(fallback);
  useEffect(() => {
    let here = true;
    load().then((loaded) => here && setValue(loaded), () => undefined);
    return () => void (here = false);
  }, [load]);
  return value;
}

/** Whether a key belongs to what the reader writes, or to the browser. */
export function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, [contenteditable]") !== null;
}

/** `/` goes to the box of the view, unless the reader is typing already. */
export function useSlash(selector: string) {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "/" || typing(event) || document.querySelector("dialog:modal")) return;
      event.preventDefault();
      document.querySelector<HTMLElement>(selector)?.focus();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [selector]);
}
