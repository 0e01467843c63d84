// Pictures of the page in light and dark at 1280 and 390 pixels, into OUT (default e2e/screenshots, not committed).
import { mkdirSync } from "node:fs";
import { ask, launch, open, stop } from "./browser.mjs";
import { QUESTION, QUERY, UNANSWERABLE } from "./questions.mjs";

const out = process.env.OUT ?? new URL("screenshots/", import.meta.url).pathname;
mkdirSync(out, { recursive: true });
const browser = await launch();
for (const scheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    const { page } = await open(browser, { width, scheme });
    const shoot = (name) => page.screenshot({ path: `${out}/${name}-${scheme}-${width}.png` });
    await shoot("empty");
    await ask(page, QUESTION);
    await page.locator(".chip").first().waitFor();
    await shoot("answer");
    await page.locator(".chip").first().click();
    await page.locator("#cited").waitFor();
    await shoot("source");
    await page.keyboard.press("Escape");
    await ask(page, UNANSWERABLE);
    await shoot("declined");
    await page.locator('.tabs a[href="#search"]').click();
    await page.locator("input#box").fill(QUERY);
    await page.keyboard.press("Enter");
    await page.locator(".passages mark").first().waitFor();
    await shoot("search");
    await page.locator("input#box").fill("travel pol");
    await page.locator(".completions button").first().waitFor();
    const grouped = page.getByLabel("One result a document");
    // On a narrow page the options are folded.
    if (!(await grouped.isVisible())) await page.getByText("Order and filters").click();
    await grouped.check();
    await page.locator(".passages mark").first().waitFor();
    await page.locator(".refine summary").first().click();
    await shoot("refine");
    await page.context().close();
  }
}
await browser.close();
await stop();
console.log(out);
