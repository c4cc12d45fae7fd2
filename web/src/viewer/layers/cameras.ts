// Camera poses of a reconstruction, as cameras.json has them: a small pyramid for each
// photo, open towards what it saw.

import {
	BufferAttribute,
	BufferGeometry,
	Color,
	Float32BufferAttribute,
	Group,
	LineBasicMaterial,
	LineSegments,
	type Ray,
	Sphere,
	Vector3,
} from "three";
import type { PhotoFrame } from "../../common/result";
import type { Pose } from "../engine/stage";
import { type Frame, originOf } from "../frame";

interface Inner {
	id: number;
	width: number;
	height: number;
	/** f or fx and fy, in pixels, and others. */
	parameters: Record<string, number>;
}

interface Shot {
	photo: string;
	camera: number;
	/** Metres, in the frame of the models, z up. */
	position: [number, number, number];
	/** Rows: right, down and forward of the camera in that frame. */
	rotation: [[number, number, number], [number, number, number], [number, number, number]];
	/** The photo as it was kept: without distortion, smaller. */
	view?: { path: string; width: number; height: number; focal: [number, number]; center: [number, number] };
}

interface CamerasFile {
	format: string;
	frame: PhotoFrame;
	cameras: Inner[];
	shots: Shot[];
}

/** A camera in the scene. */
export interface Camera {
	name: string;
	/** Address of the photo, where it was kept. */
	url?: string;
	at: Vector3;
	right: Vector3;
	down: Vector3;
	forward: Vector3;
	/** Half width and half height of what it sees at the distance 1. */
	half: [number, number];
}

const idle = new Color(0x22b8a6);
const chosen = new Color(0xf5a524);

export class CamerasLayer {
	readonly object = new Group();
	readonly cameras: Camera[] = [];
	/** Length of a pyramid, metres. */
	#size = 1;
	#lines: LineSegments<BufferGeometry, LineBasicMaterial> | undefined;

	static async open(url: string, frame: Frame, address: (path: string) => string): Promise<CamerasLayer> {
		const response = await fetch(url, { credentials: "same-origin" });
		if (!response.ok) throw new Error(`the server answered ${response.status}`);
		const file = (await response.json()) as CamerasFile;
		if (!Array.isArray(file.shots)) throw new Error("the file lists no photos");
		const layer = new CamerasLayer();
		const inner = new Map(file.cameras.map((c) => [c.id, c]));
		const origin = originOf(frame, file.frame);
		for (const s of file.shots) layer.cameras.push(cameraOf(s, inner.get(s.camera), origin, address));
		layer.#build();
		return layer;
	}

	#build(): void {
		this.#size = 0.4 * spacing(this.cameras.map((c) => c.at));
		const positions = this.cameras.flatMap((c) => pyramid(c, this.#size));
		const geometry = new BufferGeometry().setAttribute("position", new Float32BufferAttribute(positions, 3));
		geometry.setAttribute("color", new BufferAttribute(new Float32Array(positions.length), 3));
		this.#lines = new LineSegments(geometry, new LineBasicMaterial({ vertexColors: true, toneMapped: false }));
		this.#lines.frustumCulled = false;
		this.object.add(this.#lines);
		this.object.userData.unpickable = true;
		this.highlight(undefined);
	}

	/** Draws one of them in another colour. */
	highlight(camera: Camera | undefined): void {
		const colors = this.#lines?.geometry.getAttribute("color") as BufferAttribute | undefined;
		if (!colors) return;
		const each = colors.count / Math.max(1, this.cameras.length);
		for (let i = 0; i < colors.count; i++) {
			const c = this.cameras[Math.floor(i / each)] === camera ? chosen : idle;
			colors.setXYZ(i, c.r, c.g, c.b);
		}
		colors.needsUpdate = true;
	}

	/** The camera that a ray meets first. */
	hit(ray: Ray): Camera | undefined {
		let best: { camera: Camera; distance: number } | undefined;
		const sphere = new Sphere();
		for (const camera of this.cameras) {
			sphere.center.copy(camera.at).addScaledVector(camera.forward, this.#size / 2);
			sphere.radius = this.#size * 0.7;
			if (!ray.intersectsSphere(sphere)) continue;
			const distance = camera.at.distanceTo(ray.origin);
			if (!best || distance < best.distance) best = { camera, distance };
		}
		return best?.camera;
	}

	dispose(): void {
		this.#lines?.geometry.dispose();
		this.#lines?.material.dispose();
	}
}

function cameraOf(s: Shot, inner: Inner | undefined, origin: Vector3, address: (path: string) => string): Camera {
	const axis = (row: [number, number, number]) => new Vector3().fromArray(row);
	const p = inner?.parameters ?? {};
	const half: [number, number] = s.view
		? [s.view.width / s.view.focal[0] / 2, s.view.height / s.view.focal[1] / 2]
		: [(inner?.width ?? 4) / (p.fx ?? p.f ?? 4) / 2, (inner?.height ?? 3) / (p.fy ?? p.f ?? 4) / 2];
	return {
		name: s.photo,
		url: s.view && address(s.view.path),
		at: axis(s.position).add(origin),
		right: axis(s.rotation[0]),
		down: axis(s.rotation[1]),
		forward: axis(s.rotation[2]),
		half,
	};
}

/** Lines of a pyramid, and of a mark at its upper edge. */
function pyramid(c: Camera, size: number): number[] {
	const corner = (x: number, y: number) =>
		c.at
			.clone()
			.addScaledVector(c.forward, size)
			.addScaledVector(c.right, size * x * c.half[0])
			.addScaledVector(c.down, size * y * c.half[1]);
	const rim = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
	const tip = corner(0, -1.5);
	const lines = rim.flatMap((p, i) => [c.at, p, p, rim[(i + 1) % 4] as Vector3]);
	lines.push(corner(-0.4, -1), tip, tip, corner(0.4, -1));
	return lines.flatMap((p) => p.toArray());
}

/** Median distance from a place to the nearest other. */
function spacing(places: Vector3[]): number {
	const step = Math.ceil(places.length / 500); // of many a sample tells as much
	const nearest: number[] = [];
	for (let i = 0; i < places.length; i += step) {
		let least = Number.POSITIVE_INFINITY;
		for (let k = 0; k < places.length; k++) {
			const d = (places[i] as Vector3).distanceToSquared(places[k] as Vector3);
			if (k !== i && d > 0) least = Math.min(least, d);
		}
		if (Number.isFinite(least)) nearest.push(Math.sqrt(least));
	}
	nearest.sort((a, b) => a - b);
	return nearest[Math.floor(nearest.length / 2)] ?? 1;
}

/** Where a view stands that sees what a camera saw; it turns about a place at the distance. */
export function viewFrom(c: Camera, distance: number): Pose {
	const direction = c.forward.clone();
	// What is up in a view that looks nearly straight down is where it tilts to: to the
	// upper edge of the photo.
	if (direction.z < -0.97) direction.set(0, 0, -1).addScaledVector(c.down, -0.02);
	return { position: c.at.toArray(), target: c.at.clone().addScaledVector(direction, distance).toArray() };
}
