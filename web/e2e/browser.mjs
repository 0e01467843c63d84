// Starts Debian's Chromium and opens the page; what the test run and the screenshots share.
import { chromium } from "playwright-core";

import { start } from "./server.mjs";

export const { address, stop } = await start();

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** A fresh page: one of two widths, one of two colour schemes; what the browser complains about is kept. */
export async function open(browser, { width = 1280, scheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 800 }, colorScheme: scheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !request.url().startsWith("data:")) complaints.push(`left the origin: ${request.url()}`);
  });
  await page.addInitScript(() => {
    globalThis.shifts = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((one) => { if (!one.hadRecentInput) globalThis.shifts += one.value; })).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(`${address}/`);
  await page.locator("#box").waitFor();
  return { page, complaints };
}

export async function ask(page, question) {
  const turns = await page.locator(".turn").count();
  await page.locator("#box").fill(question);
  await page.keyboard.press("Enter");
  await page.locator(`.turn:nth-of-type(${turns + 1}) .answer[aria-busy="false"]`).waitFor();
}
