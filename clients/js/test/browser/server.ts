// The Go server of ../server as a process, and a proxy in front of it that can
// break in the ways that networks do.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const programs = new Map<string, string>();

/** Builds a Go program, once. */
function build(source: string): string {
  let program = programs.get(source);
  if (!program) {
    program = join(mkdtempSync(join(tmpdir(), "crier-server-")), "server");
    execFileSync("go", ["build", "-o", program, source], { stdio: "inherit" });
    programs.set(source, program);
  }
  return program;
}

export class Server {
  private process!: ChildProcess;
  private address = "127.0.0.1:0";
  private constructor(
    private program: string,
    private flags: string[],
  ) {}

  static async start(...flags: string[]): Promise<Server> {
    const server = new Server(build("./test/server"), flags);
    await server.start();
    return server;
  }

  /** The chat of examples. */
  static async chat(): Promise<Server> {
    const key = join(mkdtempSync(join(tmpdir(), "crier-chat-")), "key");
    const server = new Server(build("../../examples/chat"), ["-key", key]);
    await server.start();
    return server;
  }

  /** Starts the process; again on the same port after stop or kill. */
  async start(): Promise<void> {
    this.process = spawn(this.program, ["-addr", this.address, ...this.flags], { stdio: ["ignore", "pipe", "pipe"] });
    // It says where it listens: the server of tests on one stream, the chat in its log on the other.
    this.address = await new Promise((resolve) => {
      const look = (data: Buffer) => {
        const address = String(data).match(/127\.0\.0\.1:\d+/)?.[0];
        if (address) resolve(address);
        else process.stderr.write(data);
      };
      this.process.stdout?.on("data", look);
      this.process.stderr?.on("data", look);
    });
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode) return;
    this.process.kill(signal);
    await once(this.process, "exit");
  }

  get url(): string {
    return `http://${this.address}`;
  }

  async publish(text: string, more: Record<string, string> = {}): Promise<string[]> {
    const answer = await fetch(`${this.url}/publish`, { method: "POST", body: new URLSearchParams({ text, ...more }) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  async post(path: string): Promise<void> {
    await fetch(this.url + path, { method: "POST" });
  }

  /** Adds a topic to all streams, or takes it. */
  async move(how: "join" | "leave", topic: string): Promise<void> {
    const answer = await fetch(`${this.url}/${how}`, { method: "POST", body: new URLSearchParams({ topic }) });
    if (!answer.ok) throw new Error(await answer.text());
  }

  /** How many streams are open, by transport. */
  async streams(): Promise<Record<string, number>> {
    return (await fetch(`${this.url}/streams`)).json();
  }
}

/** A proxy. Its members say what happens to new requests. */
export class Proxy {
  /** "buffer": the answer is held until it is complete, which a stream never is. */
  sse: "pass" | "buffer" | "html" = "pass";
  ws: "pass" | "refuse" | "hang" = "pass";
  /** The requests so far, as "GET /events". */
  requests: string[] = [];
  private broken = false;
  private sockets = new Set<net.Socket>();
  private constructor(
    private target: Server,
    private server: http.Server,
  ) {}

  static async before(target: Server): Promise<Proxy> {
    const server = http.createServer();
    const proxy = new Proxy(target, server);
    server.on("connection", (socket) => proxy.keep(socket));
    server.on("request", (request, answer) => proxy.pass(request, answer));
    server.on("upgrade", (request, socket: net.Socket) => proxy.upgrade(request, socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as net.AddressInfo).port}`;
  }

  /** Breaks every connection, and every new one until mend is called. */
  cut(): void {
    this.broken = true;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  mend(): void {
    this.broken = false;
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private keep(socket: net.Socket): void {
    socket.on("error", () => {});
    if (this.broken) {
      socket.resetAndDestroy();
      return;
    }
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
  }

  private pass(request: http.IncomingMessage, answer: http.ServerResponse): void {
    const path = (request.url as string).split("?")[0] as string;
    this.requests.push(`${request.method} ${path}`);
    if (path === "/events" && this.sse === "html") {
      answer.setHeader("Content-Type", "text/html").end("<!doctype html><title>Pay for this network</title>");
      return;
    }
    const onward = http.request(this.target.url + request.url, { method: request.method as string, headers: request.headers }, (from) => {
      if (path === "/events" && request.method === "GET" && this.sse === "buffer") {
        from.resume();
        return;
      }
      answer.writeHead(from.statusCode as number, from.rawHeaders);
      answer.flushHeaders();
      from.pipe(answer);
      from.on("error", () => answer.destroy());
      from.on("aborted", () => answer.destroy());
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  private upgrade(request: http.IncomingMessage, socket: net.Socket): void {
    this.requests.push(`WS ${(request.url as string).split("?")[0]}`);
    if (this.ws === "hang") return;
    if (this.ws === "refuse") {
      socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      return;
    }
    const { hostname, port } = new URL(this.target.url);
    const onward = net.connect(Number(port), hostname);
    this.keep(onward);
    onward.write(`GET ${request.url} HTTP/1.1\r\n${headerLines(request.rawHeaders)}\r\n`);
    onward.pipe(socket).pipe(onward);
    for (const [a, b] of [[socket, onward], [onward, socket]] as const) {
      a.on("error", () => b.destroy());
      a.on("close", () => b.destroy());
    }
  }
}

function headerLines(raw: string[]): string {
  let lines = "";
  for (let i = 0; i < raw.length; i += 2) lines += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return lines;
}
