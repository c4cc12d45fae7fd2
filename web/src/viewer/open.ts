// Where the page's result comes from, by its address: a job of this server
// (/view/ID), a share link (/share/TOKEN), or the folder that `view` serves (/).

import type { Opened, Output, Result } from "../common/result";

async function json<T>(url: string): Promise<T> {
	const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
	const text = await response.text();
	let body: unknown;
	try {
		body = JSON.parse(text);
	} catch {
		throw new OpenError(response.status, response.ok ? "The server sent something that is not a result." : response.statusText);
	}
	if (!response.ok) {
		const problem = body as { title?: string; detail?: string };
		throw new OpenError(response.status, problem.detail ?? problem.title ?? response.statusText);
	}
	return body as T;
}

/** A result that could not be opened, with the status of the server. */
export class OpenError extends Error {
	constructor(
		readonly status: number,
		message: string,
	) {
		super(message);
	}
}

export async function open(path = location.pathname): Promise<Opened> {
	const job = /^\/view\/([^/]+)/.exec(path);
	if (job?.[1]) {
		const api = `/api/models/jobs/${job[1]}`;
		return { result: await json<Result>(api), files: `${api}/outputs/`, jobId: decodeURIComponent(job[1]), dashboard: true };
	}
	const share = /^\/share\/([^/]+)/.exec(path);
	if (share?.[1]) {
		const base = `/share/${share[1]}/`;
		return { result: await json<Result>(`${base}result.json`), files: `${base}files/`, dashboard: false };
	}
	return { result: await json<Result>("/result.json"), files: "/files/", dashboard: false };
}

export type SourceKind = "mesh" | "cloud" | "tiles" | "terrain";

/** One way to look at the result. */
export interface Source {
	id: string;
	kind: SourceKind;
	title: string;
	note: string;
	output: Output;
	/** An orthophoto that lies on a height model. */
	color?: Output;
	/** A smaller level of a model, for a picture until the model is there. */
	quick?: Output;
}

/** The ways to look at a result, best first. */
export function sourcesOf(result: Result): Source[] {
	const outputs = result.outputs ?? [];
	const seen = new Set<string>();
	const by = (type: string) => outputs.find((o) => o.type === type && (o.path || o.url));
	const sources: Source[] = [];
	const add = (kind: SourceKind, title: string, note: string, output: Output | undefined, color?: Output) => {
		// A small model has the same file at several levels.
		if (!output || (output.sha256 && seen.has(output.sha256))) return;
		if (output.sha256) seen.add(output.sha256);
		sources.push({ id: output.type, kind, title, note, output, color });
	};
	const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
	const n = (value: number | undefined, unit: string) => (value ? `${short.format(value)} ${unit}` : "");
	const mesh = () => {
		const draco = by("glb_draco");
		add("mesh", "Full model", n(draco?.triangles, "triangles"), draco);
		if (draco && sources[0]) sources[0].quick = quickLevel(outputs, draco);
		const levels = outputs.filter((o) => /^lod_\d$/.test(o.type)).sort((a, b) => a.type.localeCompare(b.type));
		for (const o of levels) add("mesh", `Level ${o.type.slice(4)}`, n(o.triangles, "triangles"), o);
		const preview = by("glb_preview");
		add("mesh", "Preview", n(preview?.triangles, "triangles"), preview);
	};
	const tiles = by("tiles_3d");
	const tileCount = (o: Output | undefined) => (o?.tiles === 1 ? "1 tile" : n(o?.tiles, "tiles"));
	mesh();
	if (by("glb_draco")) add("tiles", "3D Tiles", tileCount(tiles), tiles);
	add("cloud", "Point cloud", "COPC", by("copc"));
	if (!by("glb_draco")) add("tiles", "3D Tiles", tileCount(tiles), tiles);
	const cloudTiles = outputs.find((o) => o.type === "point_cloud" && o.path?.endsWith("tileset.json"));
	add("tiles", "Points as 3D Tiles", tileCount(cloudTiles), cloudTiles);
	add("cloud", "Point cloud", "Entwine Point Tiles", by("ept"));
	const ortho = by("orthophoto");
	const dsm = by("dsm");
	add("terrain", ortho ? "Orthophoto on surface" : "Surface model", "DSM", dsm, ortho);
	add("terrain", "Terrain model", "DTM", by("dtm"));
	if (!dsm) add("terrain", "Orthophoto", "", ortho);
	return sources;
}

/** Triangles of a model that is there at once. */
const light = 250_000;

/** The finest level of detail that is there at once, for a model that is not. */
function quickLevel(outputs: Output[], full: Output): Output | undefined {
	if ((full.triangles ?? 0) <= light) return undefined;
	return outputs
		.filter((o) => /^lod_\d$/.test(o.type) && (o.triangles ?? 0) > 1000 && (o.triangles ?? 0) <= light)
		.sort((a, b) => (b.triangles ?? 0) - (a.triangles ?? 0))[0];
}

/** The one that is shown first: the finest that is quick to show. */
export function firstSource(sources: Source[]): Source | undefined {
	const heavy = 2_000_000;
	const full = sources.find((s) => s.output.type === "glb_draco");
	if (full && (full.output.triangles ?? 0) > heavy) {
		return (
			sources.find((s) => s.kind === "tiles") ??
			sources.find((s) => s.kind === "mesh" && (s.output.triangles ?? 0) <= heavy) ??
			full
		);
	}
	return sources[0];
}
