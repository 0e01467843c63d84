// End-to-end run in Chromium against a running Portolan with fixtures/corpus indexed; BASE_URL names it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { address, ask, launch, open, stop } from "./browser.mjs";
import { QUERY, QUESTION, UNANSWERABLE } from "./questions.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const squeeze = (text) => text.replace(/\s+/g, " ").trim();
const must = (holds, message) => { if (!holds) throw new Error(message); };

async function accessible(page, where) {
  // Evaluated by the debugger, which the page's security policy does not bind.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const words = violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
  must(violations.length === 0, `${where}: ${words.join("\n")}`);
}

async function noSideways(page, where) {
  const over = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth);
  must(over <= 0, `${where}: ${over} px too wide`);
}

async function citedEqualsQuote(page) {
  await page.locator("#cited").waitFor();
  const marked = await page.locator("#cited").textContent();
  const quote = await page.locator(".quote").textContent();
  must(quote.length > 0 && squeeze(marked) === squeeze(quote), `marked "${marked}", quoted "${quote}"`);
  const seen = await page.locator("#cited").evaluate((mark) => {
    const box = mark.closest(".body").getBoundingClientRect();
    const own = mark.getBoundingClientRect();
    return own.top >= box.top && own.top < box.bottom;
  });
  must(seen, "the marked words are not in view");
}

/** What the route of a model would send. */
async function script(page, events) {
  const body = [["started", { run: "r", conversation: "c", message: "m", route: "demo-llm" }], ...events]
    .map(([event, data], at) => `id: ${at + 1}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join("");
  await page.route("**/v1/chat", (route) => route.fulfill({ contentType: "text/event-stream", body }));
}

const checks = {
  "an answer carries chips that open the source at the quoted words": async (browser) => {
    const { page, complaints } = await open(browser);
    await ask(page, QUESTION);
    const shifts = await page.evaluate(() => globalThis.shifts);
    must(shifts < 0.02, `the layout jumped by ${shifts}`);
    await page.locator(".chip").first().click();
    await citedEqualsQuote(page);
    must((await page.locator(".sources .passages li").count()) > 0, "no sources are listed");
    must(complaints.length === 0, complaints.join("\n"));
  },
  "keyboard alone goes from the question to the chip, its source and back": async (browser) => {
    const { page } = await open(browser);
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press("/");
    await page.keyboard.type("one");
    await page.keyboard.press("Shift+Enter");
    must((await page.locator("#box").inputValue()) === "one\n", "Shift+Enter gives no new line");
    await ask(page, QUESTION);
    const chip = page.locator(".chip").first();
    for (let presses = 0; presses < 60 && !(await chip.evaluate((one) => one === document.activeElement)); presses++) {
      await page.keyboard.press("Shift+Tab");
      if (await page.evaluate(() => document.activeElement?.classList.contains("chip"))) break;
    }
    must(await page.evaluate(() => document.activeElement?.classList.contains("chip")), "no chip is reached by Tab");
    const label = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
    await page.keyboard.press("Enter");
    await citedEqualsQuote(page);
    must(await page.evaluate(() => !!document.activeElement?.closest("dialog")), "focus did not move into the source");
    await page.keyboard.press("Escape");
    must((await page.locator("dialog.pane").count()) === 0, "Esc does not close the source");
    const back = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
    must(back === label, `focus went to "${back}", not to "${label}"`);
  },
  "a question beyond the documents is declined": async (browser) => {
    const { page } = await open(browser);
    await ask(page, UNANSWERABLE);
    await page.locator(".banner.declined").waitFor();
    must((await page.locator(".turn .chip").count()) === 0, "a declined answer has citations");
  },
  "search shows highlights, modes and filters": async (browser) => {
    const { page, complaints } = await open(browser);
    await page.locator('.tabs a[href="#search"]').click();
    await page.locator("input#box").fill(QUERY);
    await page.keyboard.press("Enter");
    await page.locator(".passages mark").first().waitFor();
    await page.locator(".passages .title").first().click();
    await page.locator("#cited").waitFor();
    await page.keyboard.press("Escape");
    await page.getByLabel("By").selectOption("lexical");
    await page.getByLabel("Filter").fill("department=People");
    const sent = page.waitForRequest((request) => request.url().endsWith("/v1/search") && request.postDataJSON().filter?.department === "People");
    await page.keyboard.press("Enter");
    must((await sent).postDataJSON().mode === "lexical", "the mode was not sent");
    await page.locator(".filter").waitFor();
    must(complaints.length === 0, complaints.join("\n"));
  },
  "results come while one types, and nothing that is on the screen moves": async (browser) => {
    const { page, complaints } = await open(browser);
    await page.locator('.tabs a[href="#search"]').click();
    // The meaning comes late, so that the words are on the screen before it.
    await page.route("**/v1/search", async (route) => {
      if (route.request().postDataJSON().mode === "hybrid") await pause(700);
      await route.continue().catch(() => undefined); // ended meanwhile
    });
    const ended = [];
    page.on("requestfailed", (request) => ended.push(request.url()));
    const typed = "annual leave for apprentices";
    // The words of what was typed before are on the screen until the last ones are here.
    const last = page.waitForResponse((response) => {
      const body = response.url().endsWith("/v1/search") ? response.request().postDataJSON() : {};
      return body.mode === "lexical" && body.query === typed;
    });
    await page.locator("input#box").pressSequentially(typed, { delay: 90 });
    await (await last).finished();
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.locator(".passages mark").first().waitFor();
    const places = () => page.locator(".passages.whole > li").evaluateAll((items) => items.map((one) => {
      const { top, left, width, height } = one.getBoundingClientRect();
      return [one.textContent.slice(0, 60), top, left, width, height].join(" ");
    }));
    const late = page.waitForResponse((response) => response.url().endsWith("/v1/search") && response.request().postDataJSON().mode === "hybrid");
    const words = await places();
    await page.evaluate(() => { globalThis.shifts = 0; });
    await late;
    await page.locator('.thread[aria-busy="false"]').waitFor();
    const both = await places();
    must(words.length > 0 && words.every((one, at) => one === both[at]), `moved:\n${words.join("\n")}\n${both.join("\n")}`);
    must(both.length > words.length, "nothing joined the first results");
    const shifts = await page.evaluate(() => globalThis.shifts);
    must(shifts === 0, `the layout jumped by ${shifts}`);
    must(ended.some((url) => url.includes("/v1/")), "no stale request was ended");
    must(complaints.length === 0, complaints.join("\n"));
  },
  "completions, facets, order and groups narrow a search": async (browser) => {
    const { page, complaints } = await open(browser);
    await page.locator('.tabs a[href="#search"]').click();
    await page.locator("input#box").pressSequentially("travel pol", { delay: 30 });
    const completion = page.locator(".completions button").first();
    await completion.waitFor();
    const text = await completion.textContent();
    await completion.click();
    must((await page.locator("input#box").inputValue()) === text, "the completion was not taken over");
    await page.locator(".passages mark").first().waitFor();
    const facet = page.locator(".refine details").first();
    await facet.locator("summary").click();
    await accessible(page, "facets");
    await facet.locator("li button").first().click();
    await page.locator(".filter").waitFor();
    await page.getByLabel("One result a document").check();
    await page.getByText(/\d documents? in/).waitFor();
    const sorted = page.waitForRequest((request) => request.url().endsWith("/v1/search") && request.postDataJSON().sort?.[0].field === "date");
    await page.getByLabel("Order").selectOption("desc");
    must((await sorted).postDataJSON().group_by === "document", "the group was not sent");
    must(complaints.length === 0, complaints.join("\n"));
  },
  "a conversation is listed, opens again with its chips, and can be deleted": async (browser) => {
    const { page } = await open(browser);
    await ask(page, QUESTION);
    const item = page.locator(".conversations li.current");
    await item.waitFor();
    await page.reload();
    await page.locator(".conversations .open").first().click();
    await page.locator(".turn .chip").first().click();
    await citedEqualsQuote(page);
    await page.keyboard.press("Escape");
    const before = await page.locator(".conversations li").count();
    await item.locator(".delete").click();
    await item.locator(".delete").click();
    await page.waitForFunction((count) => document.querySelectorAll(".conversations li").length < count, before);
    await page.locator("#welcome").waitFor();
  },
  "a broken stream keeps what came, says so, and offers a retry": async (browser) => {
    const { page } = await open(browser);
    const body = 'id: 1\nevent: started\ndata: {"run":"r","conversation":"c","message":"m","route":"x"}\n\nid: 2\nevent: text\ndata: {"delta":"Only this much"}\n\n';
    await page.route("**/v1/chat", (route) => route.fulfill({ contentType: "text/event-stream", body }));
    await ask(page, QUESTION);
    await page.locator(".answer").getByText("Only this much").waitFor();
    await page.locator(".incomplete").waitFor();
    await page.unroute("**/v1/chat");
    await page.route("**/v1/chat", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: '{"title":"Busy","detail":"try again in 2 s"}' }));
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("try again in 2 s").waitFor();
    await accessible(page, "failed");
  },
  "an answer whose connection breaks goes on where it was": async (browser) => {
    const { page, complaints } = await open(browser);
    const asked = [];
    page.on("request", (request) => request.url().includes("/v1/chat") && asked.push([request.method(), request.headers()["last-event-id"]].join(" ").trim()));
    await page.route("**/v1/chat", async (route) => {
      const response = await route.fetch();
      const frames = (await response.text()).split("\n\n");
      await route.fulfill({ response, body: `${frames.slice(0, 3).join("\n\n")}\n\n` });
    });
    await ask(page, QUESTION);
    await page.locator(".chip").first().click();
    await citedEqualsQuote(page);
    must(asked.join() === "POST,GET 3", `asked: ${asked}`);
    must(complaints.length === 0, complaints.join("\n"));
  },
  "only a citation makes a chip, HTML is text, and a link shows its host": async (browser) => {
    const { page, complaints } = await open(browser);
    const text = "So it is [1]. Not items[1], [1](https://evil.invalid/) or [^1].\n\n<b>Option<Lamp></b> ![x](https://evil.invalid/x.png)\n\n[^1]: x";
    await script(page, [["text", { delta: text }], ["citation", { number: 1, answer_range: [0, 8], document: "d", source_range: [0, 1], quote: "q", checked: true, title: "T", uri: "u", collection: "default" }], ["done", { finish_reason: "stop" }]]);
    await ask(page, QUESTION);
    await page.locator(".prose .chip").waitFor();
    must((await page.locator(".chip").count()) === 1, "a mark was forged");
    const shown = await page.locator(".prose").innerText();
    must(shown.includes("<b>Option<Lamp></b>") && shown.includes("items[1]"), `lost: ${shown}`);
    const links = await page.locator(".prose a").allInnerTexts();
    must(links.length === 2 && links.every((one) => one.includes("evil.invalid")), `links: ${links.join(" | ")}`);
    must(complaints.length === 0, complaints.join("\n"));
  },
  "two tabs ask at once in one conversation, and each answer stays with its question": async (browser) => {
    const { page } = await open(browser);
    await ask(page, QUESTION);
    await page.locator(".conversations li.current").waitFor();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.locator(".turn").waitFor();
    await Promise.all([ask(page, UNANSWERABLE), ask(other, QUESTION)]);
    await page.locator(".behind button").click();
    await page.waitForFunction(() => document.querySelectorAll(".turn").length === 3);
    for (const turn of await page.locator(".turn").all()) {
      const declined = (await turn.locator(".question").innerText()) === UNANSWERABLE;
      must((await turn.locator(".chip").count() === 0) === declined, "an answer stands below another question");
    }
    await other.locator(".conversations li.current .delete").click();
    await other.locator(".conversations li.current .delete").click();
    await other.locator("#welcome").waitFor();
    await ask(page, QUESTION);
    await page.locator(".turn .banner").getByText("This conversation has been deleted").waitFor();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".turn:last-of-type .chip").first().waitFor();
  },
  "a refusal is told in words, with a retry only where it may help": async (browser) => {
    const { page } = await open(browser);
    for (const [status, retry] of [[401, false], [404, false], [413, false], [429, true], [500, true]]) {
      await page.route("**/v1/chat", (route) => route.fulfill({ status, contentType: "application/problem+json", body: JSON.stringify({ title: "T", status, detail: `detail of ${status}` }) }));
      await ask(page, QUESTION);
      await page.getByText(`Detail of ${status}.`).waitFor();
      const turn = page.locator(".turn").last();
      must((await turn.getByRole("button", { name: "Try again" }).count() > 0) === retry, `${status}: retry is ${!retry}`);
      await page.unroute("**/v1/chat");
    }
    await page.route("**/v1/chat", (route) => route.abort());
    await ask(page, QUESTION);
    await page.locator(".turn .banner").getByText("Portolan cannot be reached").waitFor();
  },
  "an answer is copied with its sources": async (browser) => {
    const { page } = await open(browser);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await ask(page, QUESTION);
    await page.getByRole("button", { name: "Copy with sources" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    must(/\[1\].*\n\nSources\n\[1\] .+: “.+”/s.test(copied), copied);
  },
  "a search outlives a look at the chat, and ? lists the keys": async (browser) => {
    const { page } = await open(browser);
    await page.locator('.tabs a[href="#search"]').click();
    await page.locator("input#box").fill(QUERY);
    await page.keyboard.press("Enter");
    await page.locator(".passages mark").first().waitFor();
    await page.locator(".tabs a").first().click();
    await page.locator("textarea#box").waitFor();
    await page.goBack();
    await page.locator(".passages mark").first().waitFor();
    await page.locator("h1").click();
    await page.keyboard.press("?");
    await page.locator("dialog.help[open]").waitFor();
    await accessible(page, "keys");
    await page.keyboard.press("Escape");
    must((await page.locator("dialog.help[open]").count()) === 0, "Esc does not close the keys");
  },
  "stopping keeps what came": async (browser) => {
    const { page } = await open(browser);
    await page.route("**/v1/chat", () => undefined); // never answered
    await page.locator("#box").fill(QUESTION);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator(".incomplete").waitFor();
    await page.getByRole("button", { name: "Ask", exact: true }).waitFor();
  },
};

for (const scheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    checks[`every state is accessible and fits: ${scheme}, ${width} px`] = async (browser) => {
      const { page } = await open(browser, { width, scheme });
      const look = async (where) => { await accessible(page, where); await noSideways(page, where); };
      await look("empty");
      await ask(page, QUESTION);
      await page.locator(".chip").first().waitFor();
      await look("answer");
      await page.locator(".chip").first().click();
      await page.locator("#cited").waitFor();
      await look("source");
      await page.keyboard.press("Escape");
      await ask(page, UNANSWERABLE);
      await look("declined");
      if (width < 500) {
        await page.getByRole("button", { name: "Conversations" }).click();
        await page.locator("dialog.drawer[open] .conversations li").first().waitFor();
        await look("drawer");
        await page.keyboard.press("Escape");
      }
      await page.locator('.tabs a[href="#search"]').click();
      await page.locator("input#box").fill(QUERY);
      await page.keyboard.press("Enter");
      await page.locator(".passages mark").first().waitFor();
      await look("search");
      await page.locator('.tabs a').first().click();
      await script(page, [["text", { delta: `كم عدد أيام الإجازة؟\n\n${"Donaudampfschiff".repeat(40)}\n\n| ${"a | ".repeat(60)}\n|${" - |".repeat(60)}` }]]);
      await ask(page, "كم عدد أيام الإجازة السنوية؟");
      await page.locator(".prose table").waitFor();
      await look("right to left, wide, cut");
      await page.route("**/v1/conversations", (route) => route.fulfill({ json: { conversations: Array.from({ length: 200 }, (_, at) => ({ id: `c${at}`, title: `${QUESTION} ${at}` })) } }));
      await page.route("**/v1/collections", (route) => route.fulfill({ json: { collections: [] } }));
      await page.goto("about:blank");
      await page.goto(`${address}/`);
      await page.getByText("Nothing is indexed yet").waitFor();
      await look("nothing indexed, many conversations");
    };
  }
}

const browser = await launch();
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check(browser);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n        ${error.message}`);
  }
  for (const context of browser.contexts()) await context.close();
}
await browser.close();
await stop();
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed (${address})`);
process.exitCode = failed > 0 ? 1 : 0;
