// The browsers that Debian has, driven by playwright-core: Chromium over its
// devtools, Firefox over WebDriver BiDi, which needs no patched build. (playwright-core
// 1.65 sends Firefox ESR 153 a command that it does not know; 1.64 works.)

import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, firefox, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";

const WHERE = {
  chromium: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
  firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
};
export type Name = keyof typeof WHERE;

const launch: Record<Name, (executablePath: string) => Promise<Browser>> = {
  chromium: (executablePath) =>
    chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
    }),
  firefox: (executablePath) => firefox.launch({ executablePath, channel: "moz-firefox" }),
};

/**
 * Runs tests in each browser that is installed, or in those that BROWSERS names. One that is
 * not installed fails in CI, and is named elsewhere.
 */
export function inEachBrowser(tests: (browser: () => Browser, name: Name) => void): void {
  const chosen = process.env.BROWSERS?.split(" ") ?? Object.keys(WHERE);
  for (const name of Object.keys(WHERE) as Name[]) {
    if (!chosen.includes(name)) {
      console.warn(`not run: tests in ${name} (BROWSERS names ${chosen.join(" and ")})`);
      continue;
    }
    const path = WHERE[name].find((p) => existsSync(p));
    const required = process.env.CI === "true" || process.env.REQUIRE === "1";
    if (!path && !required) console.warn(`not run here: tests in ${name} (it is not installed)`);
    describe.runIf(path || required)(name, () => {
      let browser: Browser;
      beforeAll(async () => {
        if (!path) throw new Error(`${name} is not installed (Debian: apt install ${name === "firefox" ? "firefox-esr" : name})`);
        browser = await launch[name](path);
      }, 60_000);
      afterAll(() => browser?.close());
      tests(() => browser, name);
    });
  }
}

/** What a page notes about its stream; see open. */
export interface Notes {
  events: [id: string, type: string, data: unknown][];
  gaps: string[];
  states: string[];
  problems: string[];
}

/** A tab with the client in it. */
export class Tab {
  private constructor(readonly page: Page) {}

  static async open(context: BrowserContext, url: string): Promise<Tab> {
    const page = await context.newPage();
    await page.goto(url);
    const tab = new Tab(page);
    await tab.until("the client is loaded", () => (window as unknown as { ready: boolean }).ready);
    return tab;
  }

  /** Connects a stream that notes what it hears. module is "crier" or "shared". */
  connect(options: Record<string, unknown> = {}, module = "crier"): Promise<void> {
    return this.page.evaluate(
      ([options, module]) => {
        // biome-ignore lint: the page's globals
        const w = window as any;
        w.notes = { events: [], gaps: [], states: [], problems: [] };
        const stream = w[module].connect("/events", options);
        w.stream = stream;
        for (const type of ["test.text", "test.typing", "other.text"]) {
          stream.on(type, (e: { id: string; type: string; data: unknown }) => w.notes.events.push([e.id, e.type, e.data]));
        }
        stream.onGap((reason: string) => w.notes.gaps.push(reason));
        stream.onStatus((s: { state: string; transport: string; reason?: string }) => w.notes.states.push(`${s.state} ${s.transport} ${s.reason ?? ""}`.trim()));
        stream.onError((p: { kind: string }) => w.notes.problems.push(p.kind));
      },
      [options, module] as const,
    );
  }

  notes(): Promise<Notes> {
    return this.page.evaluate(() => (window as unknown as { notes: Notes }).notes);
  }

  /** The texts of the events so far. */
  async texts(): Promise<unknown[]> {
    return (await this.notes()).events.map(([, , data]) => data);
  }

  status(): Promise<{ state: string; transport: string; reason?: string }> {
    return this.page.evaluate(() => (window as unknown as { stream: { status: { state: string; transport: string } } }).stream.status);
  }

  async isOpen(transport?: string): Promise<void> {
    await expect.poll(async () => this.status(), { timeout: 20_000, interval: 50 }).toMatchObject({ state: "open", ...(transport && { transport }) });
  }

  async heard(texts: string[]): Promise<void> {
    await expect.poll(async () => (await this.texts()).at(-1), { timeout: 20_000, interval: 50 }).toBe(texts.at(-1));
    expect(await this.texts()).toEqual(texts);
  }

  /**
   * Lets the page's thread stand still, as that of a frozen page does. (Headless
   * Chromium only pretends to freeze a page when it is told to.)
   */
  halt(ms: number): Promise<void> {
    return this.page.evaluate((ms) => {
      setTimeout(() => {
        const end = performance.now() + ms;
        while (performance.now() < end);
      });
    }, ms);
  }

  async until(what: string, condition: () => unknown): Promise<void> {
    await expect.poll(() => this.page.evaluate(condition), { timeout: 20_000, interval: 50, message: what }).toBeTruthy();
  }
}

export const numbered = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}${i}`);
