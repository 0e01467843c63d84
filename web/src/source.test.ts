import { afterEach, expect, test, vi } from "vitest";
import { open } from "./source";

const cited = { document: "d", collection: "c", version: "1", title: "", uri: "", range: [0, 3] as [number, number], quote: "old words" };
const text = (version: string, content: string) => ({ id: "d", uri: "a.md", title: "A", version, text: content });

/** What the server answers to a request for the cited version and to one for any. */
function answers(version: object | undefined, any: object | undefined) {
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.stubGlobal("fetch", async (path: string) => {
    const body = path.includes("version=") ? version : any;
    const problem = { title: "Not Found", status: 404 };
    return new Response(JSON.stringify(body ?? problem), { status: body ? 200 : 404 });
  });
}
afterEach(() => vi.unstubAllGlobals());

const opened = () => open(cited, new AbortController().signal);

test("the cited version opens at the cited range", async () => {
  answers(text("1", "old words"), undefined);
  expect(await opened()).toMatchObject({ changed: false, range: [0, 3] });
});

test("a changed document opens as it is now, at the quote when it still says that", async () => {
  answers(undefined, text("2", "nothing of it"));
  expect(await opened()).toMatchObject({ changed: true, range: [0, 0], source: { version: "2" } });
  answers(undefined, text("2", "Größe: old words"));
  expect(await opened()).toMatchObject({ changed: true, range: [9, 18] });
});

test("a removed document is not found", async () => {
  answers(undefined, undefined);
  await expect(opened()).rejects.toMatchObject({ problem: { status: 404 } });
});
