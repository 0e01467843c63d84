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
