// The torus of ring.ply as it must look: where a ray from a camera of the viewer meets
// it. Its axis is upright, its centre the origin; lengths are metres.

const major = 0.75;
const minor = 0.25;

/** Vertical angle of view of the viewer, as the tangent of its half. */
const tangent = Math.tan((25 * Math.PI) / 180);

/** @typedef {[number, number, number]} Vector */

const minus = (/** @type {Vector} */ a, /** @type {Vector} */ b) => /** @type {Vector} */ (a.map((n, i) => n - (b[i] ?? 0)));
const scaled = (/** @type {Vector} */ a, /** @type {number} */ k) => /** @type {Vector} */ (a.map((n) => n * k));
const unit = (/** @type {Vector} */ a) => scaled(a, 1 / Math.hypot(...a));
const cross = (/** @type {Vector} */ a, /** @type {Vector} */ b) =>
	/** @type {Vector} */ ([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]);

/** The camera that a link to a view names, for a canvas of a size in CSS pixels. */
export class Camera {
	/**
	 * @param {string} link
	 * @param {{width: number, height: number}} canvas
	 */
	constructor(link, canvas) {
		const numbers = (new URLSearchParams(new URL(link).hash.slice(1)).get("camera") ?? "").split(",").map(Number);
		if (numbers.length !== 6) throw new Error(`${link} names no camera`);
		const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = numbers;
		/** @type {Vector} */
		this.position = [a, b, c];
		this.canvas = canvas;
		this.forward = unit(minus([d, e, f], this.position));
		this.right = unit(cross(this.forward, [0, 0, 1]));
		this.up = cross(this.right, this.forward);
	}

	/** The pixel at which a place is seen. */
	sees(/** @type {Vector} */ place) {
		const d = minus(place, this.position);
		const dot = (/** @type {Vector} */ a) => a.reduce((sum, n, i) => sum + n * (d[i] ?? 0), 0);
		const { width, height } = this.canvas;
		const [u, v] = [dot(this.right) / dot(this.forward), dot(this.up) / dot(this.forward)];
		return { x: ((u / tangent / (width / height) + 1) / 2) * width, y: ((1 - v / tangent) / 2) * height };
	}

	/**
	 * Where the middle of a pixel of the canvas meets the torus, by sphere tracing.
	 * @returns {Vector | undefined}
	 */
	meets(/** @type {number} */ x, /** @type {number} */ y) {
		const { width, height } = this.canvas;
		const u = ((2 * (x + 0.5)) / width - 1) * tangent * (width / height);
		const v = (1 - (2 * (y + 0.5)) / height) * tangent;
		const ray = unit(/** @type {Vector} */ (this.forward.map((n, i) => n + u * (this.right[i] ?? 0) + v * (this.up[i] ?? 0))));
		for (let t = 0, step = 0; step < 300 && t < 20; step++) {
			const p = minus(this.position, scaled(ray, -t));
			const distance = Math.hypot(Math.hypot(p[0], p[1]) - major, p[2]) - minor;
			if (distance < 1e-5) return p;
			t += distance;
		}
		return undefined;
	}
}

export const between = (/** @type {Vector} */ a, /** @type {Vector} */ b) => Math.hypot(...minus(a, b));
