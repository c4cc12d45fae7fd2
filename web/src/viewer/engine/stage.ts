// The stage: canvas, camera, light and the loop that draws when something has
// changed, and not otherwise.

import {
	Box3,
	Color,
	DirectionalLight,
	HemisphereLight,
	NeutralToneMapping,
	PerspectiveCamera,
	Plane,
	PMREMGenerator,
	type Ray,
	Raycaster,
	Scene,
	Sphere,
	Vector2,
	Vector3,
	WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { RoomEnvironment } from "three/examples/jsm/environments/RoomEnvironment.js";
import type { Layer } from "../layers/layer";
import { EyeDome } from "./eyedome";
import { Picker } from "./picker";

export type Preset = "home" | "top" | "front" | "back" | "left" | "right";

const directions: Record<Preset, [number, number, number]> = {
	home: [-0.62, -0.95, 0.72],
	top: [0, -0.0001, 1],
	front: [0, -1, 0.02],
	back: [0, 1, 0.02],
	left: [-1, 0, 0.02],
	right: [1, 0, 0.02],
};

/** Position of the camera, and what it looks at and turns about. */
export interface Pose {
	position: [number, number, number];
	target: [number, number, number];
}

export class Stage {
	readonly renderer: WebGLRenderer;
	readonly scene = new Scene();
	readonly camera = new PerspectiveCamera(50, 1, 0.1, 1000);
	readonly controls: OrbitControls;
	readonly eyeDome = new EyeDome();
	/** Draws points with eye-dome lighting. */
	shadeDepth = true;
	/** Called after each picture, for what lies over the canvas. */
	onFrame: (busy: boolean) => void = () => {};

	#sky = new HemisphereLight(0xffffff, 0x8a8f98, 1.9);
	#layers = new Set<Layer>();
	#picker = new Picker();
	#dirty = true;
	#frame = 0;
	#bounds = new Box3();
	#hasEnvironment = false;
	#flight: { from: Pose; to: Pose; start: number } | undefined;
	#observer: ResizeObserver;
	#size = new Vector2(1, 1);
	#still = matchMedia("(prefers-reduced-motion: reduce)");

	constructor(readonly canvas: HTMLCanvasElement) {
		this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true, powerPreference: "high-performance" });
		this.renderer.setClearColor(new Color(0x000000), 0);
		this.renderer.toneMapping = NeutralToneMapping;
		this.renderer.toneMappingExposure = 0.82; // white stays grey enough to have a shape
		this.camera.up.set(0, 0, 1);
		this.controls = new OrbitControls(this.camera, canvas);
		this.controls.enableDamping = true;
		this.controls.dampingFactor = 0.12;
		this.controls.zoomToCursor = true;
		this.controls.screenSpacePanning = true;
		this.controls.zoomSpeed = 1.4;
		this.controls.addEventListener("change", this.invalidate);
		this.controls.addEventListener("start", () => {
			this.#flight = undefined;
		});
		const sun = new DirectionalLight(0xffffff, 2.3);
		sun.position.set(-0.5, -0.9, 1.4);
		this.scene.add(sun, this.#sky);
		this.#observer = new ResizeObserver(() => this.#resize());
		this.#observer.observe(canvas);
		canvas.addEventListener("webglcontextrestored", this.#restored);
		this.#resize();
		this.#frame = requestAnimationFrame(this.#loop);
	}

	/** Asks for a new picture. */
	invalidate = (): void => {
		this.#dirty = true;
	};

	add(layer: Layer): void {
		this.#layers.add(layer);
		this.scene.add(layer.object);
		this.invalidate();
	}

	remove(layer: Layer): void {
		if (!this.#layers.delete(layer)) return;
		this.scene.remove(layer.object);
		this.invalidate();
	}

	get layers(): ReadonlySet<Layer> {
		return this.#layers;
	}

	/** Light from all around, which metal and gloss need; made when a model asks for it, since it takes a processor seconds. */
	useEnvironment(): void {
		if (this.#hasEnvironment) return;
		this.#hasEnvironment = true;
		const generator = new PMREMGenerator(this.renderer);
		const planes = this.renderer.clippingPlanes;
		this.renderer.clippingPlanes = [];
		this.scene.environment = generator.fromScene(new RoomEnvironment(), 0.04).texture;
		this.scene.environmentIntensity = 0.38;
		this.#sky.intensity = 0.25; // the environment lights from all sides by itself
		this.scene.environmentRotation.set(Math.PI / 2, 0, 0);
		this.renderer.clippingPlanes = planes;
		generator.dispose();
		this.invalidate();
	}

	/** Makes again what only the GPU had. */
	#restored = (): void => {
		if (this.#hasEnvironment) {
			this.#hasEnvironment = false;
			this.useEnvironment();
		}
		this.invalidate();
	};

	/** Shows only what is inside the box; undefined shows all. */
	clip(box: Box3 | undefined): void {
		this.renderer.clippingPlanes = box
			? [
					new Plane(new Vector3(1, 0, 0), -box.min.x),
					new Plane(new Vector3(-1, 0, 0), box.max.x),
					new Plane(new Vector3(0, 1, 0), -box.min.y),
					new Plane(new Vector3(0, -1, 0), box.max.y),
					new Plane(new Vector3(0, 0, 1), -box.min.z),
					new Plane(new Vector3(0, 0, -1), box.max.z),
				]
			: [];
		this.invalidate();
	}

	/** Bounds of all layers in the scene. */
	bounds(): Box3 {
		this.#bounds.makeEmpty();
		for (const layer of this.#layers) {
			if (layer.object.visible) this.#bounds.union(layer.bounds());
		}
		return this.#bounds;
	}

	/** Bounds of what is worth a picture. */
	#core(): Box3 {
		const box = new Box3();
		for (const layer of this.#layers) if (layer.object.visible) box.union(layer.core?.() ?? layer.bounds());
		return box;
	}

	get pose(): Pose {
		return { position: this.camera.position.toArray(), target: this.controls.target.toArray() };
	}

	/** Moves the camera, in a short flight unless it is to be at once. */
	go(pose: Pose, at: "once" | "flight" = "flight"): void {
		if (at === "flight" && !this.#still.matches) {
			this.#flight = { from: this.pose, to: pose, start: performance.now() };
		} else {
			this.#flight = undefined;
			this.camera.position.fromArray(pose.position);
			this.controls.target.fromArray(pose.target);
			this.controls.update();
		}
		this.invalidate();
	}

	/** Shows all of the box (of the layers) from a direction, or from where the camera is. */
	fit(preset?: Preset, at: "once" | "flight" = "flight", box = this.#core()): void {
		if (box.isEmpty()) return;
		const sphere = box.getBoundingSphere(new Sphere());
		const direction = preset
			? new Vector3(...directions[preset]).normalize()
			: this.camera.position.clone().sub(this.controls.target).normalize();
		const distance = this.#fitDistance(box, sphere, direction);
		const position = sphere.center.clone().addScaledVector(direction, distance);
		this.go({ position: position.toArray(), target: sphere.center.toArray() }, at);
	}

	/** Distance from which the corners of the box just fill the picture. */
	#fitDistance(box: Box3, sphere: Sphere, direction: Vector3): number {
		const back = direction;
		const right = new Vector3().crossVectors(this.camera.up, back).normalize();
		const up = new Vector3().crossVectors(back, right);
		const tanY = Math.tan((this.camera.fov * Math.PI) / 360);
		const tanX = tanY * this.camera.aspect;
		let distance = 0;
		for (let i = 0; i < 8; i++) {
			const corner = new Vector3(i & 1 ? box.max.x : box.min.x, i & 2 ? box.max.y : box.min.y, i & 4 ? box.max.z : box.min.z).sub(
				sphere.center,
			);
			const along = corner.dot(back);
			distance = Math.max(distance, along + Math.abs(corner.dot(right)) / tanX, along + Math.abs(corner.dot(up)) / tanY);
		}
		return Math.max(distance * 1.08, sphere.radius * 0.2, 1e-6);
	}

	/** Turns, shifts or approaches by keys: radians, parts of the view, and a factor of distance. */
	nudge(turn: [number, number], shift: [number, number], approach: number): void {
		this.#flight = undefined;
		const offset = this.camera.position.clone().sub(this.controls.target);
		const distance = offset.length();
		if (turn[0] || turn[1]) {
			offset.applyAxisAngle(this.camera.up, turn[0]);
			const right = new Vector3().crossVectors(this.camera.up, offset).normalize();
			const angle = Math.max(0.01, Math.min(Math.PI - 0.01, this.camera.up.angleTo(offset) + turn[1]));
			offset.copy(this.camera.up).multiplyScalar(distance).applyAxisAngle(right, angle);
		}
		offset.multiplyScalar(approach);
		const right = new Vector3().setFromMatrixColumn(this.camera.matrix, 0);
		const up = new Vector3().setFromMatrixColumn(this.camera.matrix, 1);
		this.controls.target.addScaledVector(right, shift[0] * distance).addScaledVector(up, shift[1] * distance);
		this.camera.position.copy(this.controls.target).add(offset);
		this.controls.update();
		this.invalidate();
	}

	/** Place seen at a position of the canvas (CSS pixels); exact where a layer knows better than its picture. */
	pick(x: number, y: number, exact = true): Vector3 | undefined {
		this.#setDepthRange();
		const { clientWidth: width, clientHeight: height } = this.canvas;
		const hidden = this.scene.children.filter((o) => o.userData.unpickable && o.visible);
		for (const o of hidden) o.visible = false;
		const near = this.#picker.pick(this.renderer, this.scene, this.camera, x, y, width, height);
		for (const o of hidden) o.visible = true;
		if (!near || !exact) return near;
		const ray = this.ray(x, y);
		const tolerance = this.worldPerPixel(near) * 8;
		let best = near;
		let bestDistance = Number.POSITIVE_INFINITY;
		for (const layer of this.#layers) {
			const p = layer.object.visible ? layer.refine?.(ray, near, tolerance) : undefined;
			if (!p) continue;
			const d = ray.distanceToPoint(p);
			if (d < bestDistance) [best, bestDistance] = [p, d];
		}
		return best;
	}

	ray(x: number, y: number): Ray {
		const caster = new Raycaster();
		const ndc = new Vector2((x / this.canvas.clientWidth) * 2 - 1, 1 - (y / this.canvas.clientHeight) * 2);
		caster.setFromCamera(ndc, this.camera);
		return caster.ray;
	}

	/** Size of a CSS pixel at a place of the scene. */
	worldPerPixel(p: Vector3): number {
		const distance = this.camera.position.distanceTo(p);
		return (2 * distance * Math.tan((this.camera.fov * Math.PI) / 360)) / Math.max(1, this.canvas.clientHeight);
	}

	/** Draws now, so that the canvas can be read. */
	drawNow(): void {
		this.#draw();
	}

	dispose(): void {
		cancelAnimationFrame(this.#frame);
		this.#observer.disconnect();
		for (const layer of this.#layers) layer.dispose();
		this.eyeDome.dispose();
		this.#picker.dispose();
		this.controls.dispose();
		this.renderer.dispose();
	}

	#resize(): void {
		const { clientWidth: width, clientHeight: height } = this.canvas;
		if (!width || !height) return;
		this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
		this.renderer.setSize(width, height, false);
		this.renderer.getDrawingBufferSize(this.#size);
		this.camera.aspect = width / height;
		this.camera.updateProjectionMatrix();
		this.#draw(); // a resized canvas is empty until it is drawn
		this.invalidate();
	}

	#loop = (): void => {
		this.#frame = requestAnimationFrame(this.#loop);
		this.#fly();
		this.controls.update();
		if (!this.#dirty) return;
		this.#dirty = false;
		this.#draw();
	};

	#fly(): void {
		const f = this.#flight;
		if (!f) return;
		const t = Math.min(1, (performance.now() - f.start) / 450);
		const k = 1 - (1 - t) ** 3;
		const mix = (a: number[], b: number[]) => new Vector3().fromArray(a).lerp(new Vector3().fromArray(b), k);
		const target = mix(f.from.target, f.to.target);
		// Directions and distances are mixed apart, so that the camera does not fly through the model.
		const a = new Vector3().fromArray(f.from.position).sub(new Vector3().fromArray(f.from.target));
		const b = new Vector3().fromArray(f.to.position).sub(new Vector3().fromArray(f.to.target));
		const length = a.length() * (b.length() / Math.max(a.length(), 1e-9)) ** k;
		const offset = a.normalize().lerp(b.normalize(), k);
		if (offset.lengthSq() < 1e-6) offset.set(0, -1, 0.5);
		offset.setLength(length);
		if (t >= 1) this.#flight = undefined;
		this.controls.target.copy(target);
		this.camera.position.copy(target).add(offset);
		this.invalidate();
	}

	#setDepthRange(): void {
		const sphere = this.bounds().getBoundingSphere(new Sphere());
		const radius = Math.max(sphere.radius, 1e-6);
		const distance = this.bounds().isEmpty() ? 1 : this.camera.position.distanceTo(sphere.center);
		const far = (distance + radius) * 1.05;
		this.camera.near = Math.max((distance - radius) * 0.95, far / 20000);
		this.camera.far = far;
		this.camera.updateProjectionMatrix();
		this.camera.updateMatrixWorld();
	}

	#draw(): void {
		this.#setDepthRange();
		const view = { camera: this.camera, width: this.#size.x, height: this.#size.y };
		let busy = false;
		let points = false;
		for (const layer of this.#layers) {
			if (!layer.object.visible) continue;
			busy = layer.update(view) || busy;
			points ||= layer.points;
		}
		if (points && this.shadeDepth) {
			this.renderer.clear();
			this.eyeDome.render(this.renderer, this.scene, this.camera);
		} else {
			this.renderer.render(this.scene, this.camera);
		}
		this.onFrame(busy);
	}
}
