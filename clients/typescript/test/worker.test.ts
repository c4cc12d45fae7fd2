// Against the built worker and a real Redis: jobs go in by the queue and by the
// API, callbacks come back and are verified.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import {
	ApiError,
	type CallbackEvent,
	type CompletedEvent,
	callbackHandler,
	PayloadError,
	Producer,
	priorities,
	priorityNumbers,
	RedisReplayStore,
	WorkerApi,
} from "../src/index.js";
import { generate } from "./generate.js";
import { Cleanup, fileServer, folder, redis, route, scan, secret, worker } from "./services.js";

const cleanup = new Cleanup();
const events: CallbackEvent[] = [];
const requests: { body: ArrayBuffer; signature: string }[] = [];
const waiting = new Map<string, (event: CallbackEvent) => void>();
let redisUrl = "";
let api: WorkerApi;
let address = "";
let source = "";
let callbacks: (request: Request) => Promise<Response>;

/** Resolves with the last event of a job. */
function end(jobId: string): Promise<CallbackEvent> {
	const known = events.find((e) => e.jobId === jobId && e.status !== "progress");
	if (known) return Promise.resolve(known);
	return new Promise((resolve) => waiting.set(jobId, resolve));
}

before(
	async () => {
		redisUrl = await redis(cleanup);
		const dir = await folder(cleanup);
		source = `${await fileServer(cleanup, await scan(dir))}/scan.laz`;
		const store = new Redis(redisUrl);
		cleanup.add(async () => store.disconnect());
		callbacks = callbackHandler({
			secret,
			replays: new RedisReplayStore(store),
			onEvent(event) {
				events.push(event);
				if (event.status !== "progress") waiting.get(event.jobId)?.(event);
			},
		});
		const platform = await route(cleanup, async (request) => {
			const body = await request.arrayBuffer();
			requests.push({ body, signature: request.headers.get("x-worker-signature") ?? "" });
			return callbacks(new Request(request.url, { method: "POST", headers: request.headers, body }));
		});
		address = await worker(cleanup, dir, { REDIS_URL: redisUrl, SLATE360_API_URL: platform, GPU_WORKER_SECRET_KEY: secret });
		api = new WorkerApi({ baseUrl: address, token: secret });
	},
	{ timeout: 120_000 },
);

after(() => cleanup.run());

test("the types are those of the document that the worker serves", async () => {
	const committed = await readFile(join(import.meta.dirname, "../../src/openapi.gen.ts"), "utf8");
	assert.ok((await generate(address)) === committed, "run npm run generate against a worker of this build");
});

test("a job goes through the queue, and its callbacks hold", { timeout: 120_000 }, async () => {
	const producer = new Producer({ redisUrl });
	try {
		const { jobId } = await producer.submit(
			{ sourceUrl: source, sourceFormat: "laz", options: { formats: ["copc", "thumbnail"] } },
			{ priority: "high" },
		);
		const queued = await producer.queue.getJob(jobId);
		assert.equal(queued?.opts.priority, 5);
		const event = (await end(jobId)) as CompletedEvent;
		assert.equal(event.status, "completed", JSON.stringify(event));
		assert.deepEqual(event.outputs.map((o) => o.type).sort(), ["copc", "thumbnail", "thumbnail"]);
		assert.equal(event.progressPct, 100);
		assert.equal(event.outputs.find((o) => o.type === "copc")?.points, event.analysis?.points);
		const job = await api.job(jobId);
		assert.equal(job.status, "completed");
		// The same ID again is the same job.
		await producer.submit({ jobId, sourceUrl: source });
		assert.equal((await producer.queue.getJob(jobId))?.opts.priority, 5);
	} finally {
		await producer.close();
	}
});

test("a replayed and a forged callback change nothing", async () => {
	const last = requests.at(-1);
	assert.ok(last);
	const count = events.length;
	const post = (signature: string) =>
		callbacks(new Request("http://platform/", { method: "POST", body: last.body, headers: { "x-worker-signature": signature } }));
	assert.deepEqual(await (await post(last.signature)).json(), { ok: true, duplicate: true });
	assert.equal((await post(`sha256=${"0".repeat(64)}`)).status, 401);
	assert.equal(events.length, count);
});

test("priorities come first, last, and in between as they should", { timeout: 60_000 }, async () => {
	const producer = new Producer({ redisUrl, queue: "order" }); // nobody takes from it
	try {
		for (const priority of priorities) await producer.submit({ jobId: priority, sourceUrl: source }, { priority });
		const order = (await producer.queue.getPrioritized()).map((j) => j.id);
		assert.deepEqual(order, ["urgent", "high", "normal", "low"]);
		assert.deepEqual(Object.keys(priorityNumbers).sort(), [...priorities].sort());
		await assert.rejects(producer.submit({ sourceUrl: source, options: { quality: 2 } }), PayloadError);
	} finally {
		await producer.queue.obliterate({ force: true });
		await producer.close();
	}
});

test("the API takes, shows, lists, shares and deletes jobs", { timeout: 120_000 }, async () => {
	const first = await api.submit({ sourceUrl: source, options: { formats: ["thumbnail"] } }, "key-1");
	const again = await api.submit({ sourceUrl: source, options: { formats: ["thumbnail"] } }, "key-1");
	assert.equal(again.jobId, first.jobId);
	assert.equal((await end(first.jobId)).status, "completed");
	const page = await api.list({ status: ["completed"], limit: 10 });
	assert.ok(page.jobs.some((j) => j.jobId === first.jobId));
	const link = await api.share(first.jobId, 3600);
	const result = (await (await fetch(`${link.url}/result.json`)).json()) as { outputs: { type: string }[] };
	assert.equal(result.outputs[0]?.type, "thumbnail");
	await api.remove(first.jobId);
	await assert.rejects(api.job(first.jobId), (e) => e instanceof ApiError && e.status === 404);
	await assert.rejects(
		api.submit({ sourceUrl: "ftp://x/y" }),
		(e) => e instanceof ApiError && e.status === 422 && e.field === "sourceUrl",
	);
	await assert.rejects(
		new WorkerApi({ baseUrl: address, token: "wrong" }).list(),
		(e) => e instanceof ApiError && e.status === 401,
	);
});

test("the example routes of Next.js work", { timeout: 120_000 }, async () => {
	process.env.REDIS_URL = redisUrl;
	process.env.GPU_WORKER_SECRET_KEY = secret;
	const { POST } = await import("../examples/nextjs/app/api/models/process/route.js");
	const post = (body: unknown) =>
		POST(new Request("http://platform/api/models/process", { method: "POST", body: JSON.stringify(body) }));
	const answer = await post({ sourceUrl: source, sourceFormat: "laz", options: { formats: ["laz"] } });
	assert.equal(answer.status, 202);
	const { jobId } = (await answer.json()) as { jobId: string };
	assert.equal((await end(jobId)).status, "completed");
	const refused = await post({ sourceUrl: source, options: { quality: "high" } });
	assert.equal(refused.status, 422);
	assert.equal(((await refused.json()) as { field: string }).field, "options.quality");
	const globals = globalThis as { slate360Producer?: Producer };
	await globals.slate360Producer?.close();
});
