// Real parts around the tests: a Redis, the built worker, a server of files.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const secret = "key of the tests";

/** The built program; make build puts it there. */
export const program = process.env.SLATE360_WORKER ?? join(import.meta.dirname, "../../../../bin/slate360-worker");

export async function freePort(): Promise<number> {
	const socket = createSocket().listen(0, "127.0.0.1");
	await new Promise((resolve) => socket.once("listening", resolve));
	const { port } = socket.address() as AddressInfo;
	await new Promise((resolve) => socket.close(resolve));
	return port;
}

/** Things that are ended in the reverse order of their beginning. */
export class Cleanup {
	#steps: (() => Promise<unknown>)[] = [];

	add(step: () => Promise<unknown>): void {
		this.#steps.push(step);
	}

	async run(): Promise<void> {
		for (const step of this.#steps.reverse()) await step();
		this.#steps = [];
	}
}

async function ended(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.kill("SIGTERM");
	await new Promise((resolve) => child.once("exit", resolve));
}

export async function folder(cleanup: Cleanup): Promise<string> {
	const dir = await mkdtemp(join(tmpdir(), "slate360-client-"));
	cleanup.add(() => rm(dir, { recursive: true, force: true }));
	return dir;
}

/** A Redis: REDIS_URL, or one that is started. */
export async function redis(cleanup: Cleanup): Promise<string> {
	if (process.env.REDIS_URL) return process.env.REDIS_URL;
	const port = await freePort();
	const dir = await folder(cleanup);
	const child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, "--save", ""], {
		stdio: "ignore",
	});
	const failed = new Promise<never>((_, reject) =>
		child.once("error", (e) => reject(new Error(`redis-server cannot be started: ${e.message}`))),
	);
	cleanup.add(() => ended(child));
	await Promise.race([reached(port), failed]);
	return `redis://127.0.0.1:${port}`;
}

/** Waits until a port takes connections: each refusal is answered by another try. */
async function reached(port: number): Promise<void> {
	for (let tries = 0; tries < 200; tries++) {
		const ok = await new Promise<boolean>((resolve) => {
			const socket = connect(port, "127.0.0.1");
			socket.once("connect", () => {
				socket.destroy();
				resolve(true);
			});
			socket.once("error", () => resolve(false));
		});
		if (ok) return;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	throw new Error(`nothing listens at port ${port}`);
}

/** Starts a worker, and waits until it says that it has started. Returns its address. */
export async function worker(cleanup: Cleanup, dir: string, env: Record<string, string>): Promise<string> {
	const child = spawn(program, ["run", "--addr", "127.0.0.1:0"], {
		env: {
			PATH: process.env.PATH,
			HOME: dir,
			SLATE360_DATA_DIR: join(dir, "data"),
			SLATE360_SOURCE_ALLOW: "127.0.0.1",
			SLATE360_LIMITER_MAX: "0",
			SLATE360_MEMORY: "2G",
			SLATE360_DISK_RESERVE: "64M",
			...env,
		},
		stdio: ["ignore", "pipe", "pipe"],
	});
	cleanup.add(() => ended(child));
	return new Promise((resolve, reject) => {
		let said = "";
		const timer = setTimeout(() => reject(new Error(`the worker does not start:\n${said}`)), 60_000);
		child.once("error", reject);
		child.once("exit", (code) => reject(new Error(`the worker ended with ${code}:\n${said}`)));
		const hear = (data: Buffer) => {
			said += String(data);
			const address = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
			if (!address || !said.includes("worker started")) return;
			clearTimeout(timer);
			resolve(address);
		};
		child.stdout.on("data", hear);
		child.stderr.on("data", hear);
	});
}

/** Writes a small scan whose truth is known. */
export async function scan(dir: string): Promise<string> {
	await promisify(execFile)(program, ["sample", "pointcloud", dir, "--points", "20000"]);
	return join(dir, "scan.laz");
}

async function listen(server: Server, cleanup: Cleanup): Promise<string> {
	server.listen(0, "127.0.0.1");
	await new Promise((resolve) => server.once("listening", resolve));
	cleanup.add(() => {
		server.closeAllConnections();
		return new Promise((resolve) => server.close(resolve));
	});
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Serves one file, as object storage does. */
export async function fileServer(cleanup: Cleanup, path: string): Promise<string> {
	const { size } = await stat(path);
	const server = createServer((request, response) => {
		const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
		const start = Number(range?.[1] ?? 0);
		const end = range?.[2] ? Number(range[2]) : size - 1;
		response.writeHead(range ? 206 : 200, {
			"content-length": end - start + 1,
			"accept-ranges": "bytes",
			...(range ? { "content-range": `bytes ${start}-${end}/${size}` } : {}),
		});
		if (request.method === "HEAD") response.end();
		else createReadStream(path, { start, end }).pipe(response);
	});
	return listen(server, cleanup);
}

/** Serves a handler of Fetch requests, as Next.js does with a route file. */
export async function route(cleanup: Cleanup, handler: (request: Request) => Promise<Response>): Promise<string> {
	const server = createServer(async (incoming, outgoing) => {
		try {
			const response = await handler(await requestOf(incoming));
			outgoing.writeHead(response.status, Object.fromEntries(response.headers));
			outgoing.end(Buffer.from(await response.arrayBuffer()));
		} catch {
			outgoing.writeHead(500).end();
		}
	});
	return listen(server, cleanup);
}

async function requestOf(incoming: IncomingMessage): Promise<Request> {
	const parts: Buffer[] = [];
	for await (const part of incoming) parts.push(part as Buffer);
	return new Request(`http://${incoming.headers.host}${incoming.url}`, {
		method: incoming.method ?? "GET",
		headers: incoming.headers as Record<string, string>,
		...(parts.length > 0 ? { body: Buffer.concat(parts) } : {}),
	});
}
