import assert from "node:assert/strict";
import { test } from "node:test";
import { PayloadError, parsePayload } from "../src/index.js";

const good = { sourceUrl: "https://example.com/scan.laz" };

test("what is left out is filled in", () => {
	const p = parsePayload(good);
	assert.match(p.jobId, /^[0-9a-f-]{36}$/);
	assert.equal(p.sourceFormat, "auto");
	assert.deepEqual(p.options, {});
	assert.deepEqual(parsePayload({ ...good, jobId: "a.b_c-1" }).jobId, "a.b_c-1");
	assert.deepEqual(parsePayload({ sourceUrls: ["s3://bucket/a.jpg", "s3://bucket/b.jpg"] }).sourceUrls?.length, 2);
});

test("options as the worker takes them pass", () => {
	parsePayload({
		...good,
		options: {
			formats: ["3dtiles", "lod_2", "copc"],
			quality: 0,
			targetVertices: [3],
			filters: { outlier: false, smrf: { off: true, cell: 0.5 } },
			origin: { lat: 49.4, lon: 8.7 },
			engines: { smrf: "pdal" },
			unknown: 1,
		},
	});
});

const bad: [string, Record<string, unknown>][] = [
	["", [] as unknown as Record<string, unknown>],
	["jobId", { ...good, jobId: "../x" }],
	["jobId", { ...good, jobId: "a".repeat(129) }],
	["sourceFormat", { ...good, sourceFormat: "dwg" }],
	["sourceUrl", {}],
	["sourceUrl", { sourceUrl: "file:///etc/passwd" }],
	["sourceUrl", { sourceUrl: "scan.laz" }],
	["sourceUrls", { sourceUrls: [] }],
	["sourceUrls", { sourceUrl: "https://a/b", sourceUrls: ["https://a/c"] }],
	["sourceUrls[1]", { sourceUrls: ["https://a/b", 5] }],
	["options", { ...good, options: "fast" }],
	["options.quality", { ...good, options: { quality: "high" } }],
	["options.quality", { ...good, options: { quality: Number.NaN } }],
	["options.dracoCompression", { ...good, options: { dracoCompression: 7.5 } }],
	["options.formats[0]", { ...good, options: { formats: ["gltf2"] } }],
	["options.targetVertices[0]", { ...good, options: { targetVertices: [2] } }],
	["options.targetVertices", { ...good, options: { targetVertices: Array(11).fill(100) } }],
	["options.filters.smrf.cell", { ...good, options: { filters: { smrf: { cell: 0 } } } }],
	["options.origin.lon", { ...good, options: { origin: { lat: 1 } } }],
	["options.priority", { ...good, options: { priority: "asap" } }],
];

for (const [field, data] of bad) {
	test(`${field || "the whole"} of ${JSON.stringify(data).slice(0, 60)} is refused`, () => {
		assert.throws(
			() => parsePayload(data),
			(e) => e instanceof PayloadError && e.field === field,
		);
	});
}
