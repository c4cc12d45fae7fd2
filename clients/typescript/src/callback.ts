/**
 * Callbacks of the worker: POST with JSON, signed by HMAC-SHA256 of the raw body
 * (header x-worker-signature). What is accepted is fresh and was not seen before.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { components } from "./openapi.gen.js";

export type Output = Omit<components["schemas"]["Output"], "url" | "path"> & { path?: string; url?: string };

interface EventBase {
	jobId: string;
	/** 0 to 100. */
	progressPct: number;
	/** The same in every sending of this event. */
	eventId: string;
	/** RFC 3339. */
	occurredAt: string;
	/** Unix seconds of this sending. */
	timestamp: number;
}

export interface ProgressEvent extends EventBase {
	status: "progress";
	stage?: string;
}

export interface CompletedEvent extends EventBase {
	status: "completed";
	stage?: string;
	outputs: Output[];
	thumbnailUrl?: string;
	analysis?: Record<string, unknown>;
}

export interface FailedEvent extends EventBase {
	status: "failed";
	stage?: string;
	error: string;
}

export type CallbackEvent = ProgressEvent | CompletedEvent | FailedEvent;

export type CallbackFault = "signature" | "stale" | "malformed";

/** Says why a callback is refused; answer it with `status`. */
export class CallbackError extends Error {
	override name = "CallbackError";
	constructor(
		readonly fault: CallbackFault,
		message: string,
	) {
		super(message);
	}

	get status(): 400 | 401 {
		return this.fault === "malformed" ? 400 : 401;
	}
}

export interface VerifyOptions {
	/** GPU_WORKER_SECRET_KEY. While a key is being changed, both. */
	secret: string | string[];
	/** How far the time of signing may lie from now, in seconds; 300. */
	tolerance?: number;
	/** Milliseconds since 1970; for tests. */
	now?: number;
}

/** Computes what the header x-worker-signature of a body must be. */
export function sign(body: string | Uint8Array, secret: string): string {
	return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

function matches(body: string | Uint8Array, signature: string, secret: string): boolean {
	const want = Buffer.from(sign(body, secret));
	const got = Buffer.from(signature);
	return want.length === got.length && timingSafeEqual(want, got);
}

/**
 * Checks signature, age and form of a callback, and returns its event. Give the
 * bytes as they came: JSON that was parsed and printed again has another signature.
 *
 * @throws CallbackError
 */
export function verifyCallback(body: string | Uint8Array, signature: string | null | undefined, o: VerifyOptions): CallbackEvent {
	const secrets = (Array.isArray(o.secret) ? o.secret : [o.secret]).filter((s) => s !== "");
	if (secrets.length === 0) throw new Error("verifyCallback needs the key that callbacks are signed with");
	// All keys are tried, so that the time taken tells nothing.
	const good = secrets.map((s) => matches(body, signature ?? "", s)).includes(true);
	if (!good) throw new CallbackError("signature", "the signature is not that of the body");
	const event = parse(body);
	const age = Math.abs((o.now ?? Date.now()) / 1000 - event.timestamp);
	if (age > (o.tolerance ?? 300)) throw new CallbackError("stale", `the callback was signed ${Math.round(age)} s from now`);
	return event;
}

function parse(body: string | Uint8Array): CallbackEvent {
	let event: Partial<Record<string, unknown>>;
	try {
		event = JSON.parse(typeof body === "string" ? body : new TextDecoder().decode(body)) as typeof event;
	} catch {
		throw new CallbackError("malformed", "the body is not JSON");
	}
	const good =
		typeof event === "object" &&
		event !== null &&
		typeof event.jobId === "string" &&
		typeof event.eventId === "string" &&
		typeof event.timestamp === "number" &&
		typeof event.progressPct === "number" &&
		["progress", "completed", "failed"].includes(String(event.status));
	if (!good) throw new CallbackError("malformed", "the body is not an event of slate360-worker");
	if (event.status === "completed") event.outputs ??= [];
	if (event.status === "failed") event.error ??= "";
	return event as unknown as CallbackEvent;
}

/** Remembers events for as long as a replay would be fresh enough. */
export interface ReplayStore {
	/** Notes an ID. Returns false where it was noted before. */
	first(eventId: string, seconds: number): Promise<boolean>;
	/** Forgets an ID whose handling failed, so that its next sending is handled. */
	forget(eventId: string): Promise<void>;
}

/** Remembers in this process: for one server, and for tests. */
export class MemoryReplayStore implements ReplayStore {
	#seen = new Map<string, number>();

	async first(eventId: string, seconds: number): Promise<boolean> {
		const now = Date.now();
		for (const [id, until] of this.#seen) {
			if (until > now) break; // they run out in the order in which they came
			this.#seen.delete(id);
		}
		if (this.#seen.has(eventId)) return false;
		this.#seen.set(eventId, now + seconds * 1000);
		return true;
	}

	async forget(eventId: string): Promise<void> {
		this.#seen.delete(eventId);
	}
}

/** The commands of a Redis client that RedisReplayStore needs; ioredis has them. */
export interface RedisCommands {
	set(key: string, value: string, ex: "EX", seconds: number, nx: "NX"): Promise<string | null>;
	del(key: string): Promise<number>;
}

/** Remembers in Redis: for several servers, and for functions that keep no state. */
export class RedisReplayStore implements ReplayStore {
	constructor(
		readonly redis: RedisCommands,
		readonly prefix = "slate360:callback:",
	) {}

	async first(eventId: string, seconds: number): Promise<boolean> {
		return (await this.redis.set(this.prefix + eventId, "1", "EX", seconds, "NX")) === "OK";
	}

	async forget(eventId: string): Promise<void> {
		await this.redis.del(this.prefix + eventId);
	}
}

export interface HandlerOptions extends VerifyOptions {
	replays: ReplayStore;
	/** Does what the event asks for. Where it throws, the worker sends the event again. */
	onEvent(event: CallbackEvent): Promise<void> | void;
	/** How long events are remembered, in seconds: the worker sends an event again for 30 days. */
	remember?: number;
	/** Most bytes of a body; 16 MiB. */
	maxBytes?: number;
}

const answer = (status: number, body: object) =>
	new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", "cache-control": "no-store" } });

/** Returns a handler of Fetch requests, as route files of Next.js export it (POST). */
export function callbackHandler(o: HandlerOptions): (request: Request) => Promise<Response> {
	const remember = o.remember ?? 31 * 86_400;
	const most = o.maxBytes ?? 16 * 2 ** 20;
	return async (request) => {
		if (Number(request.headers.get("content-length") ?? 0) > most) return answer(413, { error: "the body is too large" });
		const body = new Uint8Array(await request.arrayBuffer());
		if (body.byteLength > most) return answer(413, { error: "the body is too large" });
		let event: CallbackEvent;
		try {
			event = verifyCallback(body, request.headers.get("x-worker-signature"), o);
		} catch (error) {
			if (error instanceof CallbackError) return answer(error.status, { error: error.message });
			throw error;
		}
		if (!(await o.replays.first(event.eventId, remember))) return answer(200, { ok: true, duplicate: true });
		try {
			await o.onEvent(event);
		} catch (error) {
			await o.replays.forget(event.eventId);
			throw error;
		}
		return answer(200, { ok: true });
	};
}
