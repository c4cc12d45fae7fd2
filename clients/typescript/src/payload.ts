/**
 * The data of a job, and the check that the worker makes of it: a payload that
 * passes here is not failed there for its form. Rules are those of the worker
 * (internal/job, ParseOptions).
 */

export const sourceFormats = [
	"glb",
	"gltf",
	"obj",
	"fbx",
	"ply",
	"stl",
	"dae",
	"3ds",
	"las",
	"laz",
	"copc",
	"e57",
	"xyz",
	"ept",
	"photos",
	"zip",
	"auto",
] as const;
export type SourceFormat = (typeof sourceFormats)[number];

export const priorities = ["low", "normal", "high", "urgent"] as const;
export type Priority = (typeof priorities)[number];

export const outputTypes = [
	"glb_draco",
	"glb_preview",
	"laz",
	"copc",
	"ept",
	"tiles_3d",
	"thumbnail",
	"dsm",
	"dtm",
	"orthophoto",
	"obj",
	"point_cloud",
	"report",
	"cameras",
] as const;
export type OutputType = (typeof outputTypes)[number] | `lod_${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`;

/** Settings of a point filter; distances are metres, whatever the unit of the file. `false` leaves the filter out. */
export interface Filters {
	outlier?: false | { meanK?: number; multiplier?: number };
	elm?: false | { cell?: number; threshold?: number };
	smrf?: false | { cell?: number; slope?: number; window?: number; scalar?: number; threshold?: number };
}

export interface Options {
	/** Outputs that are wanted; absent is all. `3dtiles` means `tiles_3d`. */
	formats?: (OutputType | "3dtiles")[];
	/** 0 (smallest) to 1 (best); 0.8. */
	quality?: number;
	generateLOD?: boolean;
	/** 0 (off) to 10 (smallest); 7. */
	dracoCompression?: number;
	/** Vertices of the levels of detail, finest first, at most ten. */
	targetVertices?: number[];
	filters?: Filters;
	/** `EPSG:n` or WKT. */
	crs?: { source?: string; target?: string };
	/** Where on the globe the origin of a model lies: degrees on WGS 84, metres. */
	origin?: { lat: number; lon: number; height?: number; heading?: number };
	upAxis?: "auto" | "y" | "z";
	/** Pictures of an animation around a model, 0 (none) to 90. */
	turntable?: number;
	/** Engine of a stage, such as {"smrf": "native"}. */
	engines?: Record<string, string>;
	priority?: Priority;
}

interface Common {
	/** Letters, digits, '.', '_' and '-', at most 128; a UUID where records are kept in Supabase. */
	jobId: string;
	sourceFormat: SourceFormat;
	options: Options;
}

/** The data of a job in the queue. */
export type Payload = Common & ({ sourceUrl: string; sourceUrls?: never } | { sourceUrls: string[]; sourceUrl?: never });

/** Says which field of a payload cannot be used, and why. */
export class PayloadError extends Error {
	override name = "PayloadError";
	constructor(
		readonly field: string,
		message: string,
	) {
		super(`${field}: ${message}`);
	}
}

type Check = (value: unknown, field: string) => void;

const fail = (field: string, message: string): never => {
	throw new PayloadError(field, message);
};

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? String(value);

function number(low: number, high: number, whole = false): Check {
	return (value, field) => {
		if (typeof value !== "number" || !(value >= low && value <= high) || (whole && !Number.isInteger(value))) {
			fail(field, `want a ${whole ? "whole " : ""}number from ${low} to ${high}, got ${shown(value)}`);
		}
	};
}

const text: Check = (value, field) => {
	if (typeof value !== "string") fail(field, `want a text, got ${shown(value)}`);
};

const truth: Check = (value, field) => {
	if (typeof value !== "boolean") fail(field, `want true or false, got ${shown(value)}`);
};

function oneOf(values: readonly string[]): Check {
	return (value, field) => {
		if (typeof value !== "string" || !values.includes(value))
			fail(field, `want one of ${values.join(", ")}, got ${shown(value)}`);
	};
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Checks the members of an object; unknown ones are let through: the worker warns of them. */
function object(members: Record<string, Check>, needed: string[] = []): Check {
	return (value, field) => {
		if (!isObject(value)) throw new PayloadError(field, `want an object, got ${shown(value)}`);
		for (const name of needed) if (value[name] === undefined) fail(`${field}.${name}`, "is missing");
		for (const [name, check] of Object.entries(members)) {
			const member = value[name];
			if (member !== undefined && member !== null) check(member, field ? `${field}.${name}` : name);
		}
	};
}

function filter(members: Record<string, Check>): Check {
	const check = object({ ...members, off: truth });
	return (value, field) => {
		if (typeof value !== "boolean") check(value, field);
	};
}

function list(item: Check, most: number): Check {
	return (value, field) => {
		if (!Array.isArray(value)) throw new PayloadError(field, `want a list, got ${shown(value)}`);
		if (value.length > most) fail(field, `want at most ${most}, got ${value.length}`);
		for (const [i, v] of value.entries()) item(v, `${field}[${i}]`);
	};
}

const outputType: Check = (value, field) => {
	const name = typeof value === "string" ? value.trim().toLowerCase() : "";
	const known = name === "3dtiles" || /^lod_\d$/.test(name) || (outputTypes as readonly string[]).includes(name);
	if (!known) fail(field, `there is no output type ${shown(value)}; there are ${outputTypes.join(", ")}, lod_0 … lod_9`);
};

const engines: Check = (value, field) => {
	if (!isObject(value)) throw new PayloadError(field, `want an object of stage: engine, got ${shown(value)}`);
	for (const [stage, engine] of Object.entries(value)) text(engine, `${field}.${stage}`);
};

const distance = number(1e-3, 1e6);

const options = object({
	formats: list(outputType, 100),
	quality: number(0, 1),
	generateLOD: truth,
	dracoCompression: number(0, 10, true),
	targetVertices: list(number(3, 2 ** 31 - 1, true), 10),
	filters: object({
		outlier: filter({ meanK: number(1, 1000, true), multiplier: number(0, 1e6) }),
		elm: filter({ cell: distance, threshold: distance }),
		smrf: filter({ cell: distance, slope: number(0, 1e3), window: distance, scalar: number(0, 1e6), threshold: number(0, 1e6) }),
	}),
	crs: object({ source: text, target: text }),
	origin: object({ lat: number(-90, 90), lon: number(-180, 180), height: number(-1e5, 1e6), heading: number(-360, 360) }, [
		"lat",
		"lon",
	]),
	upAxis: oneOf(["auto", "y", "z"]),
	turntable: number(0, 90, true),
	engines,
	priority: oneOf(priorities),
});

const sourceAddress: Check = (value, field) => {
	text(value, field);
	let url: URL;
	try {
		url = new URL(value as string);
	} catch {
		throw new PayloadError(field, `want an address that begins with https://, http:// or s3://, got ${shown(value)}`);
	}
	if (!["https:", "http:", "s3:"].includes(url.protocol) || !url.host) {
		fail(field, `want an address that begins with https://, http:// or s3://, got ${shown(value)}`);
	}
};

/** Checks data of any origin, such as the body of a request, and returns it as a payload. A missing job ID is made, missing options are none. */
export function parsePayload(data: unknown): Payload {
	if (!isObject(data)) throw new PayloadError("", "want a JSON object");
	const jobId = data.jobId ?? crypto.randomUUID();
	if (typeof jobId !== "string" || !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(jobId)) {
		throw new PayloadError("jobId", `want letters, digits, '.', '_' and '-', at most 128, got ${shown(jobId)}`);
	}
	const sourceFormat = data.sourceFormat ?? "auto";
	oneOf(sourceFormats)(sourceFormat, "sourceFormat");
	options(data.options ?? {}, "options");
	const common: Common = { jobId, sourceFormat: sourceFormat as SourceFormat, options: (data.options ?? {}) as Options };
	if (data.sourceUrl !== undefined && data.sourceUrls !== undefined) fail("sourceUrls", "give sourceUrl or sourceUrls, not both");
	if (data.sourceUrls !== undefined) {
		list(sourceAddress, 10_000)(data.sourceUrls, "sourceUrls");
		const sourceUrls = data.sourceUrls as string[];
		if (sourceUrls.length === 0) fail("sourceUrls", "there is no source");
		return { ...common, sourceUrls };
	}
	if (data.sourceUrl === undefined) fail("sourceUrl", "there is no source");
	sourceAddress(data.sourceUrl, "sourceUrl");
	return { ...common, sourceUrl: data.sourceUrl as string };
}
