// Reads nodes of COPC 1.0 and of EPT 1.1 (laszip, binary), away from the page.

import { Copc, type Copc as CopcFile, Hierarchy, Las } from "copc";
import { createLazPerf, type LazPerf } from "laz-perf/lib/worker";
import wasm from "laz-perf/lib/worker/laz-perf.wasm?url";
import type { Answer, CloudInfo, HierarchyPage, NodeAddress, NodeData, Request } from "./protocol";

type Triple = [number, number, number];

interface Schema {
	name: string;
	type: string;
	size: number;
	scale?: number;
	offset?: number;
}

interface EptFile {
	bounds: [number, number, number, number, number, number];
	dataType: string;
	points: number;
	span: number;
	schema: Schema[];
}

interface Source {
	open(): Promise<CloudInfo>;
	page(key: string, page: { offset: number; length: number } | null): Promise<HierarchyPage>;
	node(key: string, address: NodeAddress, corner: Triple, colorShift?: number): Promise<NodeData>;
}

let lazPerf: Promise<LazPerf> | undefined;

function decoder(): Promise<LazPerf> {
	lazPerf ??= createLazPerf({ locateFile: () => new URL(wasm, self.location.href).href });
	return lazPerf;
}

async function read(url: string, range?: [number, number]): Promise<Uint8Array> {
	const response = await fetch(url, {
		credentials: "same-origin",
		headers: range ? { Range: `bytes=${range[0]}-${range[1] - 1}` } : {},
	});
	if (!response.ok)
		throw new Error(`${new URL(url).pathname.split("/").pop()}: the server answered ${response.status} ${response.statusText}`);
	const data = new Uint8Array(await response.arrayBuffer());
	// A server without ranges sends all of the file.
	return range && response.status === 200 ? data.subarray(range[0], range[1]) : data;
}

/** Where the fields of a point lie in its record. */
interface Layout {
	length: number;
	scale: Triple;
	offset: Triple;
	class: number;
	classMask: number;
	color: number | undefined;
}

function layoutOf(format: number, length: number, scale: Triple, offset: Triple): Layout {
	const colors: Record<number, number> = { 2: 20, 3: 28, 5: 28, 7: 30, 8: 30, 10: 30 };
	const layered = format >= 6;
	return { length, scale, offset, class: layered ? 16 : 15, classMask: layered ? 255 : 31, color: colors[format] };
}

/** Collects points into the arrays that the page wants. */
class Collector {
	readonly data: NodeData;
	#colors: Uint16Array | undefined;
	#i = 0;

	constructor(
		points: number,
		color: boolean,
		readonly corner: Triple,
		/** Bits that 16-bit colours are shifted by; undefined finds out. */
		readonly colorShift: number | undefined,
	) {
		this.#colors = color ? new Uint16Array(points * 3) : undefined;
		this.data = {
			positions: new Float32Array(points * 3),
			intensities: new Uint16Array(points),
			classes: new Uint8Array(points),
			min: [Infinity, Infinity, Infinity],
			max: [-Infinity, -Infinity, -Infinity],
			colorMax: 0,
		};
	}

	add(x: number, y: number, z: number, intensity: number, classification: number, r: number, g: number, b: number): void {
		const d = this.data;
		const i = this.#i++;
		const [cx, cy, cz] = this.corner;
		d.positions[i * 3] = x - cx;
		d.positions[i * 3 + 1] = y - cy;
		d.positions[i * 3 + 2] = z - cz;
		d.intensities[i] = intensity;
		d.classes[i] = classification;
		if (this.#colors) {
			this.#colors[i * 3] = r;
			this.#colors[i * 3 + 1] = g;
			this.#colors[i * 3 + 2] = b;
			if (r > d.colorMax) d.colorMax = r;
			if (g > d.colorMax) d.colorMax = g;
			if (b > d.colorMax) d.colorMax = b;
		}
		if (x < d.min[0]) d.min[0] = x;
		if (y < d.min[1]) d.min[1] = y;
		if (z < d.min[2]) d.min[2] = z;
		if (x > d.max[0]) d.max[0] = x;
		if (y > d.max[1]) d.max[1] = y;
		if (z > d.max[2]) d.max[2] = z;
	}

	/** The points; colours that are all below 256 have 8 bits. */
	finish(): NodeData {
		if (this.#colors) {
			const shift = this.colorShift ?? (this.data.colorMax > 255 ? 8 : 0);
			this.data.colors = Uint8Array.from(this.#colors, (c) => c >> shift);
		}
		return this.data;
	}
}

/** Adds points that a decoder of laz-perf gives one by one. */
function collect(perf: LazPerf, next: (into: number) => void, points: number, layout: Layout, into: Collector): void {
	const at = perf._malloc(layout.length);
	try {
		let view = new DataView(perf.HEAPU8.buffer);
		for (let i = 0; i < points; i++) {
			next(at);
			if (view.buffer !== perf.HEAPU8.buffer) view = new DataView(perf.HEAPU8.buffer); // the memory has grown
			addRecord(view, at, layout, into);
		}
	} finally {
		perf._free(at);
	}
}

function addRecord(view: DataView, at: number, layout: Layout, into: Collector): void {
	const { scale, offset, color } = layout;
	into.add(
		view.getInt32(at, true) * scale[0] + offset[0],
		view.getInt32(at + 4, true) * scale[1] + offset[1],
		view.getInt32(at + 8, true) * scale[2] + offset[2],
		view.getUint16(at + 12, true),
		view.getUint8(at + layout.class) & layout.classMask,
		color === undefined ? 0 : view.getUint16(at + color, true),
		color === undefined ? 0 : view.getUint16(at + color + 2, true),
		color === undefined ? 0 : view.getUint16(at + color + 4, true),
	);
}

/** Copies bytes into the decoder's memory while f works on them. */
function withBytes(perf: LazPerf, bytes: Uint8Array, f: (at: number) => void): void {
	const at = perf._malloc(bytes.byteLength);
	try {
		perf.HEAPU8.set(bytes, at);
		f(at);
	} finally {
		perf._free(at);
	}
}

class CopcSource implements Source {
	#file: CopcFile | undefined;
	#layout: Layout | undefined;

	constructor(readonly url: string) {}

	get = (begin: number, end: number): Promise<Uint8Array> => read(this.url, [begin, end]);

	async open(): Promise<CloudInfo> {
		const file = await Copc.create(this.get);
		this.#file = file;
		const { pointDataRecordFormat, pointDataRecordLength, scale, offset, pointCount } = file.header;
		this.#layout = layoutOf(pointDataRecordFormat, pointDataRecordLength, scale, offset);
		const { pageOffset, pageLength } = file.info.rootHierarchyPage;
		return {
			cube: file.info.cube,
			spacing: file.info.spacing,
			points: pointCount,
			hasColor: this.#layout.color !== undefined,
			hierarchy: await this.page("", { offset: pageOffset, length: pageLength }),
		};
	}

	async page(_key: string, page: { offset: number; length: number } | null): Promise<HierarchyPage> {
		if (!page) throw new Error("a page of the hierarchy has no address");
		const { nodes, pages } = await Hierarchy.load(this.get, { pageOffset: page.offset, pageLength: page.length });
		const result: HierarchyPage = { nodes: {}, pages: {} };
		for (const [key, n] of Object.entries(nodes)) {
			if (n) result.nodes[key] = { points: n.pointCount, offset: n.pointDataOffset, length: n.pointDataLength };
		}
		for (const [key, p] of Object.entries(pages)) {
			if (p) result.pages[key] = { offset: p.pageOffset, length: p.pageLength };
		}
		return result;
	}

	async node(_key: string, address: NodeAddress, corner: Triple, colorShift?: number): Promise<NodeData> {
		if (!this.#file) await this.open();
		const header = this.#file?.header;
		const layout = this.#layout;
		if (!header || !layout) throw new Error("the cloud is not open");
		const begin = address.offset ?? 0;
		const [perf, bytes] = await Promise.all([decoder(), this.get(begin, begin + (address.length ?? 0))]);
		const into = new Collector(address.points, layout.color !== undefined, corner, colorShift);
		withBytes(perf, bytes, (at) => {
			const chunk = new perf.ChunkDecoder();
			try {
				chunk.open(header.pointDataRecordFormat, header.pointDataRecordLength, at);
				collect(perf, (p) => chunk.getPoint(p), address.points, layout, into);
			} finally {
				chunk.delete();
			}
		});
		return into.finish();
	}
}

class EptSource implements Source {
	#file: EptFile | undefined;
	#base: string;

	constructor(readonly url: string) {
		this.#base = url.replace(/[^/]*$/, "");
	}

	async open(): Promise<CloudInfo> {
		const file = JSON.parse(new TextDecoder().decode(await read(this.url))) as EptFile;
		this.#file = file;
		if (file.dataType !== "laszip" && file.dataType !== "binary") {
			throw new Error(`the tiles are of type ${file.dataType}; this viewer reads laszip and binary`);
		}
		const width = file.bounds[3] - file.bounds[0];
		return {
			cube: file.bounds,
			spacing: width / file.span,
			points: file.points,
			hasColor: file.schema.some((d) => d.name === "Red"),
			hierarchy: await this.page("0-0-0-0"),
		};
	}

	async page(key: string): Promise<HierarchyPage> {
		const text = new TextDecoder().decode(await read(`${this.#base}ept-hierarchy/${key}.json`));
		const result: HierarchyPage = { nodes: {}, pages: {} };
		for (const [name, points] of Object.entries(JSON.parse(text) as Record<string, number>)) {
			if (points >= 0) result.nodes[name] = { points };
			else result.pages[name] = null;
		}
		return result;
	}

	async node(key: string, address: NodeAddress, corner: Triple, colorShift?: number): Promise<NodeData> {
		if (!this.#file) await this.open();
		if (this.#file?.dataType === "binary") return this.#binary(key, address, corner, colorShift);
		const [perf, bytes] = await Promise.all([decoder(), read(`${this.#base}ept-data/${key}.laz`)]);
		const header = Las.Header.parse(bytes);
		const layout = layoutOf(header.pointDataRecordFormat, header.pointDataRecordLength, header.scale, header.offset);
		const into = new Collector(header.pointCount, layout.color !== undefined, corner, colorShift);
		withBytes(perf, bytes, (at) => {
			const reader = new perf.LASZip();
			try {
				reader.open(at, bytes.byteLength);
				collect(perf, (p) => reader.getPoint(p), header.pointCount, layout, into);
			} finally {
				reader.delete();
			}
		});
		return into.finish();
	}

	async #binary(key: string, address: NodeAddress, corner: Triple, colorShift?: number): Promise<NodeData> {
		const bytes = await read(`${this.#base}ept-data/${key}.bin`);
		const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		const schema = this.#file?.schema ?? [];
		const size = schema.reduce((sum, d) => sum + d.size, 0);
		const points = Math.min(address.points, Math.floor(bytes.byteLength / size));
		const field = (name: string) => fieldReader(schema, name, view);
		const [x, y, z] = [field("X"), field("Y"), field("Z")];
		const [intensity, classification] = [field("Intensity"), field("Classification")];
		const [r, g, b] = [field("Red"), field("Green"), field("Blue")];
		const into = new Collector(
			points,
			schema.some((d) => d.name === "Red"),
			corner,
			colorShift,
		);
		for (let i = 0, at = 0; i < points; i++, at += size) {
			into.add(x(at), y(at), z(at), intensity(at), classification(at), r(at), g(at), b(at));
		}
		return into.finish();
	}
}

/** Returns what reads a field of the schema, scaled, from a record; 0 where there is none. */
function fieldReader(schema: Schema[], name: string, view: DataView): (at: number) => number {
	let offset = 0;
	const field = schema.find((d) => {
		if (d.name === name) return true;
		offset += d.size;
		return false;
	});
	if (!field) return () => 0;
	const { scale = 1, offset: shift = 0 } = field;
	const raw = rawReader(field, view);
	return (at) => raw(at + offset) * scale + shift;
}

function rawReader({ type, size, name }: Schema, view: DataView): (at: number) => number {
	switch (`${type}${size}`) {
		case "float4":
			return (at) => view.getFloat32(at, true);
		case "float8":
			return (at) => view.getFloat64(at, true);
		case "signed1":
			return (at) => view.getInt8(at);
		case "signed2":
			return (at) => view.getInt16(at, true);
		case "signed4":
			return (at) => view.getInt32(at, true);
		case "signed8":
			return (at) => Number(view.getBigInt64(at, true));
		case "unsigned1":
			return (at) => view.getUint8(at);
		case "unsigned2":
			return (at) => view.getUint16(at, true);
		case "unsigned4":
			return (at) => view.getUint32(at, true);
		case "unsigned8":
			return (at) => Number(view.getBigUint64(at, true));
	}
	throw new Error(`dimension ${name} has the unknown type ${type} of ${size} bytes`);
}

let source: Source | undefined;

async function answer(request: Request): Promise<CloudInfo | HierarchyPage | NodeData> {
	if (request.what === "open") {
		decoder().catch(() => {}); // it is got ready beside the header; who waits for it hears of what is wrong
		source = request.format === "copc" ? new CopcSource(request.url) : new EptSource(request.url);
		return source.open();
	}
	if (!source) throw new Error("no cloud was opened");
	if (request.what === "page") return source.page(request.key, request.page);
	return source.node(request.key, request.address, request.corner, request.colorShift);
}

function buffers(value: CloudInfo | HierarchyPage | NodeData): Transferable[] {
	if (!("positions" in value)) return [];
	const arrays = [value.positions, value.intensities, value.classes, ...(value.colors ? [value.colors] : [])];
	return arrays.map((a) => a.buffer);
}

self.onmessage = async ({ data }: MessageEvent<Request>) => {
	let reply: Answer;
	try {
		reply = { id: data.id, ok: true, value: await answer(data) };
	} catch (error) {
		reply = { id: data.id, ok: false, message: error instanceof Error ? error.message : String(error) };
	}
	self.postMessage(reply, { transfer: reply.ok ? buffers(reply.value) : [] });
};
