// Camera poses of a reconstruction: a small pyramid for each photo, open towards
// what it saw.

import {
	Box3,
	BufferGeometry,
	Float32BufferAttribute,
	Group,
	LineBasicMaterial,
	LineSegments,
	Quaternion,
	type Ray,
	Sphere,
	Vector3,
} from "three";
import type { Frame } from "../frame";

/** A camera of cameras.json: places and turns it in the coordinates of the other outputs, x right, y down, z into the picture. */
export interface CameraPose {
	name: string;
	/** Path of the photo in the result, where it was kept. */
	image?: string;
	position: [number, number, number];
	/** From the camera to the world, x, y, z, w. */
	rotation: [number, number, number, number];
	width?: number;
	height?: number;
	focal?: number;
}

export class CamerasLayer {
	readonly object = new Group();
	#places: { name: string; url?: string; at: Vector3 }[] = [];
	#size = 1;

	static async open(url: string, frame: Frame, address: (path: string) => string): Promise<CamerasLayer> {
		const response = await fetch(url, { credentials: "same-origin" });
		if (!response.ok) throw new Error(`the server answered ${response.status}`);
		const file = (await response.json()) as { cameras?: CameraPose[] };
		const layer = new CamerasLayer();
		layer.#build(file.cameras ?? [], frame, address);
		return layer;
	}

	#build(cameras: CameraPose[], frame: Frame, address: (path: string) => string): void {
		const box = new Box3();
		for (const c of cameras) {
			const [x, y, z] = c.position;
			const at = new Vector3(
				(x - frame.origin.x) * frame.horizontal,
				(y - frame.origin.y) * frame.horizontal,
				(z - frame.origin.z) * frame.vertical,
			);
			box.expandByPoint(at);
			this.#places.push({ name: c.name, url: c.image ? address(c.image) : undefined, at });
		}
		this.#size = Math.max(box.getSize(new Vector3()).length() / Math.max(8, cameras.length * 0.8), 1e-3);
		const positions: number[] = [];
		cameras.forEach((c, i) => {
			this.#pyramid(c, this.#places[i]?.at ?? new Vector3(), positions);
		});
		const geometry = new BufferGeometry().setAttribute("position", new Float32BufferAttribute(positions, 3));
		this.object.add(new LineSegments(geometry, new LineBasicMaterial({ color: 0x22b8a6 })));
		this.object.userData.unpickable = true;
	}

	#pyramid(c: CameraPose, at: Vector3, into: number[]): void {
		const q = new Quaternion().fromArray(c.rotation).normalize();
		const width = c.width ?? 4;
		const height = c.height ?? 3;
		const focal = c.focal ?? Math.max(width, height);
		const [x, y] = [(this.#size * width) / focal / 2, (this.#size * height) / focal / 2];
		const corners = [
			[-x, -y],
			[x, -y],
			[x, y],
			[-x, y],
		].map(([cx = 0, cy = 0]) => new Vector3(cx, cy, this.#size).applyQuaternion(q).add(at));
		corners.forEach((corner, i) => {
			const next = corners[(i + 1) % 4] as Vector3;
			into.push(...at.toArray(), ...corner.toArray(), ...corner.toArray(), ...next.toArray());
		});
	}

	/** The photo whose camera a ray meets first. */
	hit(ray: Ray): { name: string; url?: string } | undefined {
		let best: { name: string; url?: string; distance: number } | undefined;
		for (const { name, url, at } of this.#places) {
			if (!ray.intersectsSphere(new Sphere(at, this.#size))) continue;
			const distance = at.distanceTo(ray.origin);
			if (!best || distance < best.distance) best = { name, url, distance };
		}
		return best;
	}

	dispose(): void {
		this.object.traverse((o) => {
			if (!(o instanceof LineSegments)) return;
			o.geometry.dispose();
			(o.material as LineBasicMaterial).dispose();
		});
	}
}
