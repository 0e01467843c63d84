// The Portolan that is looked at: the one at BASE_URL, or PORTOLAN_BIN started here with fixtures/corpus in a fresh folder.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

export async function start() {
  const binary = process.env.PORTOLAN_BIN;
  if (process.env.BASE_URL || !binary) {
    return { address: (process.env.BASE_URL ?? "http://127.0.0.1:8080").replace(/\/$/, ""), stop: async () => undefined };
  }
  const data = mkdtempSync(join(tmpdir(), "portolan-e2e-"));
  const listen = `127.0.0.1:${await freePort()}`;
  const server = spawn(binary, ["serve", "--data", data, "--listen", listen], { cwd: root, env: { PORTOLAN_LOG: "warn", ...process.env }, stdio: ["ignore", "ignore", "inherit"] });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  const stop = async () => {
    server.kill("SIGTERM");
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
  process.once("exit", () => server.kill("SIGKILL"));
  await ready(`http://${listen}/readyz`, server);
  execFileSync(binary, ["index", "fixtures/corpus", "--data", data], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  return { address: `http://${listen}`, stop };
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function ready(url, server) {
  for (let tries = 0; tries < 600; tries++) {
    if (server.exitCode !== null) throw new Error(`portolan ended with ${server.exitCode} before it was ready`);
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await pause(100);
  }
  throw new Error(`${url} was not ready after 60 s`);
}
