// app/api/models/jobs/callback/route.ts: takes what the worker tells. The record is
// the worker's to keep; this is for what the platform does beside: notices,
// invoices, caches. In your app import from "@slate360/worker-client".
import { Redis } from "ioredis";
import { type CallbackEvent, callbackHandler, RedisReplayStore } from "../../../../../../../src/index.js";

export const runtime = "nodejs";

async function onEvent(event: CallbackEvent): Promise<void> {
	switch (event.status) {
		case "progress":
			return; // pages read it from the record
		case "completed":
			// biome-ignore lint/suspicious/noConsole: the log of the platform
			console.info(`job ${event.jobId} is done: ${event.outputs.map((o) => o.type).join(", ")}`);
			return;
		case "failed":
			// biome-ignore lint/suspicious/noConsole: the log of the platform
			console.warn(`job ${event.jobId} failed: ${event.error}`);
	}
}

const globals = globalThis as { slate360Callbacks?: (request: Request) => Promise<Response> };

export function POST(request: Request): Promise<Response> {
	globals.slate360Callbacks ??= callbackHandler({
		secret: process.env.GPU_WORKER_SECRET_KEY ?? "",
		replays: new RedisReplayStore(new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6379")),
		onEvent,
	});
	return globals.slate360Callbacks(request);
}
