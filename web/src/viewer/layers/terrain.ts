// A height model (DSM, DTM) as a surface, with an orthophoto or shaded colours on
// it; an orthophoto alone lies flat.

import {
	Box3,
	BufferAttribute,
	BufferGeometry,
	DataTexture,
	DoubleSide,
	Group,
	LinearFilter,
	LinearMipmapLinearFilter,
	Mesh,
	MeshBasicMaterial,
	MeshStandardMaterial,
	type Ray,
	Raycaster,
	RGBAFormat,
	SRGBColorSpace,
	UnsignedByteType,
	type Vector3,
} from "three";
import type { Frame } from "../frame";
import type { Raster, RasterAnswer, RasterRequest } from "../workers/raster.worker";
import { type Gradient, gradients } from "./cloud/palette";
import type { Layer, LayerContext } from "./layer";

/** Samples of heights on the longer side, and pixels of colour. */
const gridSize = 640;
const textureSize = 4096;

function read(request: Omit<RasterRequest, "id">): Promise<Raster> {
	const worker = new Worker(new URL("../workers/raster.worker.ts", import.meta.url), { type: "module" });
	return new Promise<Raster>((resolve, reject) => {
		worker.onmessage = ({ data }: MessageEvent<RasterAnswer>) => {
			if (data.ok) resolve(data.raster);
			else reject(new Error(data.message));
		};
		worker.onerror = (event) => reject(new Error(event.message || "the reader of GeoTIFF could not be started"));
		worker.postMessage({ ...request, id: 0 });
	}).finally(() => worker.terminate());
}

export class TerrainLayer implements Layer {
	readonly object = new Group();
	readonly points = false;
	#bounds = new Box3();
	#samples = 0;

	/** Opens heights, colours, or both. */
	static async open(
		heights: string | undefined,
		colors: string | undefined,
		frame: Frame,
		_context: LayerContext,
	): Promise<TerrainLayer> {
		const [grid, picture] = await Promise.all([
			heights ? read({ url: heights, size: gridSize, as: "number" }) : undefined,
			colors ? read({ url: colors, size: textureSize, as: "color" }) : undefined,
		]);
		const layer = new TerrainLayer();
		layer.#build(grid, picture, frame);
		return layer;
	}

	#build(grid: Raster | undefined, picture: Raster | undefined, frame: Frame): void {
		const surface = grid ?? flat(picture, frame);
		if (!surface) throw new Error("there is nothing to show");
		this.#samples = surface.width * surface.height;
		const { geometry, low, high } = this.#surface(surface, picture?.box ?? surface.box, frame);
		const material = picture
			? new MeshBasicMaterial({ map: texture(picture), side: DoubleSide, transparent: true, alphaTest: 0.5, toneMapped: false })
			: new MeshStandardMaterial({ vertexColors: true, side: DoubleSide, roughness: 1, metalness: 0 });
		if (!picture) paint(geometry, low, high, "terrain");
		const mesh = new Mesh(geometry, material);
		this.object.add(mesh);
		this.object.updateMatrixWorld(true);
		this.#bounds.setFromObject(this.object, true);
	}

	/** Triangles between neighbours that all have a height. */
	#surface(grid: Raster, cover: Raster["box"], frame: Frame): { geometry: BufferGeometry; low: number; high: number } {
		const { width, height, box, values = new Float32Array() } = grid;
		const positions = new Float32Array(width * height * 3);
		const uvs = new Float32Array(width * height * 2);
		const [dx, dy] = [(box[2] - box[0]) / width, (box[3] - box[1]) / height];
		for (let row = 0, i = 0; row < height; row++) {
			for (let column = 0; column < width; column++, i++) {
				const x = box[0] + (column + 0.5) * dx;
				const y = box[3] - (row + 0.5) * dy;
				positions[i * 3] = (x - frame.origin.x) * frame.horizontal;
				positions[i * 3 + 1] = (y - frame.origin.y) * frame.horizontal;
				positions[i * 3 + 2] = ((values[i] ?? Number.NaN) - frame.origin.z) * frame.vertical;
				uvs[i * 2] = (x - cover[0]) / (cover[2] - cover[0]);
				uvs[i * 2 + 1] = (cover[3] - y) / (cover[3] - cover[1]);
			}
		}
		const index: number[] = [];
		const at = (i: number) => positions[i * 3 + 2] ?? Number.NaN;
		for (let row = 0; row + 1 < height; row++) {
			for (let column = 0; column + 1 < width; column++) {
				const a = row * width + column;
				const [b, c, d] = [a + 1, a + width, a + width + 1];
				if (!Number.isNaN(at(a) + at(c) + at(b))) index.push(a, c, b);
				if (!Number.isNaN(at(b) + at(c) + at(d))) index.push(b, c, d);
			}
		}
		const sorted = positions
			.filter((_, i) => i % 3 === 2)
			.filter((z) => !Number.isNaN(z))
			.sort();
		const [low, high] = [sorted[Math.floor(sorted.length * 0.01)] ?? 0, sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 1];
		for (let i = 2; i < positions.length; i += 3) if (Number.isNaN(positions[i])) positions[i] = low;
		const geometry = new BufferGeometry();
		geometry.setAttribute("position", new BufferAttribute(positions, 3));
		geometry.setAttribute("uv", new BufferAttribute(uvs, 2));
		geometry.setIndex(new BufferAttribute(Uint32Array.from(index), 1));
		geometry.computeVertexNormals();
		return { geometry, low, high };
	}

	bounds(): Box3 {
		return this.#bounds;
	}

	update(): boolean {
		return false;
	}

	refine(ray: Ray, near: Vector3, tolerance: number): Vector3 | undefined {
		const caster = new Raycaster(ray.origin, ray.direction);
		const depth = near.distanceTo(ray.origin);
		caster.near = Math.max(0, depth - tolerance * 4);
		caster.far = depth + tolerance * 4;
		return caster.intersectObject(this.object, true)[0]?.point;
	}

	summary(): string {
		return `${this.#samples.toLocaleString("en")} heights`;
	}

	dispose(): void {
		this.object.traverse((o) => {
			if (!(o instanceof Mesh)) return;
			o.geometry.dispose();
			(o.material as MeshBasicMaterial).map?.dispose();
			(o.material as MeshBasicMaterial).dispose();
		});
	}
}

/** A flat surface below a picture that has no heights. */
function flat(picture: Raster | undefined, frame: Frame): Raster | undefined {
	if (!picture) return undefined;
	const [w, s, e, n] = picture.box;
	// Samples lie in the middle of their cells: the outer ones on the edge of the picture.
	return {
		width: 2,
		height: 2,
		box: [w - (e - w) / 2, s - (n - s) / 2, e + (e - w) / 2, n + (n - s) / 2],
		values: new Float32Array(4).fill(frame.origin.z),
	};
}

function texture(picture: Raster): DataTexture {
	const t = new DataTexture(picture.rgba ?? null, picture.width, picture.height, RGBAFormat, UnsignedByteType);
	t.colorSpace = SRGBColorSpace;
	t.magFilter = LinearFilter;
	t.minFilter = LinearMipmapLinearFilter;
	t.generateMipmaps = true;
	t.anisotropy = 8;
	t.needsUpdate = true;
	return t;
}

/** Colours vertices by height. */
function paint(geometry: BufferGeometry, low: number, high: number, name: Gradient): void {
	const positions = geometry.getAttribute("position");
	const stops = gradients[name];
	const colors = new Float32Array(positions.count * 3);
	const linear = (byte: number) => (byte / 255) ** 2.2;
	for (let i = 0; i < positions.count; i++) {
		const t = Math.max(0, Math.min(0.9999, (positions.getZ(i) - low) / (high - low || 1)));
		const at = t * (stops.length - 1);
		const k = Math.floor(at);
		const [a, b] = [stops[k] ?? 0, stops[k + 1] ?? 0];
		for (let shift = 16, j = 0; shift >= 0; shift -= 8, j++) {
			const [from, to] = [(a >> shift) & 255, (b >> shift) & 255];
			colors[i * 3 + j] = linear(from + (to - from) * (at - k));
		}
	}
	geometry.setAttribute("color", new BufferAttribute(colors, 3));
}
