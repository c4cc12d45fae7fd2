import assert from "node:assert/strict";
import { test } from "node:test";
import { CallbackError, callbackHandler, MemoryReplayStore, sign, verifyCallback } from "../src/index.js";

const secret = "k";
const now = 1_800_000_000_000;
const body = JSON.stringify({
	jobId: "j",
	status: "completed",
	progressPct: 100,
	eventId: "e",
	occurredAt: "2027-01-15T08:00:00Z",
	timestamp: now / 1000,
});

const refused = (fault: string) => (e: unknown) => e instanceof CallbackError && e.fault === fault;

// The value is that of openssl dgst -sha256 -hmac k over the three bytes.
test("the signature is HMAC-SHA256", () => {
	assert.equal(sign("abc", "k"), "sha256=342e519ce0ad6c03a36b98eeb3f1d130db4813b9df4d1160eda488d712dc78ee");
});

test("a good callback passes, with either of two keys", () => {
	assert.equal(verifyCallback(body, sign(body, secret), { secret, now }).jobId, "j");
	assert.equal(
		verifyCallback(new TextEncoder().encode(body), sign(body, "old"), { secret: ["new", "old"], now }).status,
		"completed",
	);
});

test("another body, key or signature is refused", () => {
	assert.throws(() => verifyCallback(`${body} `, sign(body, secret), { secret, now }), refused("signature"));
	assert.throws(() => verifyCallback(body, sign(body, "x"), { secret, now }), refused("signature"));
	for (const s of [undefined, null, "", "sha256=", sign(body, secret).slice(7), sign(body, secret).toUpperCase()]) {
		assert.throws(() => verifyCallback(body, s, { secret, now }), refused("signature"));
	}
	assert.throws(() => verifyCallback(body, sign(body, ""), { secret: "", now }), /needs the key/);
});

test("what was signed long ago, or in the future, is refused", () => {
	for (const seconds of [-301, 301]) {
		assert.throws(() => verifyCallback(body, sign(body, secret), { secret, now: now + seconds * 1000 }), refused("stale"));
	}
	verifyCallback(body, sign(body, secret), { secret, now: now + 299_000 });
});

test("what is no event is refused", () => {
	for (const text of ["", "[]", "null", "{}", JSON.stringify({ ...JSON.parse(body), status: "done" })]) {
		assert.throws(() => verifyCallback(text, sign(text, secret), { secret, now }), refused("malformed"));
	}
});

test("the handler takes an event once, and again where handling it failed", async () => {
	let calls = 0;
	let broken = true;
	const handle = callbackHandler({
		secret,
		now,
		replays: new MemoryReplayStore(),
		onEvent() {
			calls++;
			if (broken) throw new Error("the database is away");
		},
	});
	const send = () =>
		handle(new Request("http://x/", { method: "POST", body, headers: { "x-worker-signature": sign(body, secret) } }));
	await assert.rejects(send(), /database/);
	broken = false;
	assert.equal((await send()).status, 200);
	assert.deepEqual(await (await send()).json(), { ok: true, duplicate: true });
	assert.equal(calls, 2);
	const forged = await handle(
		new Request("http://x/", { method: "POST", body, headers: { "x-worker-signature": sign(body, "x") } }),
	);
	assert.equal(forged.status, 401);
});
