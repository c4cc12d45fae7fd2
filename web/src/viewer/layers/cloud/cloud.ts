// A point cloud in an octree (COPC, EPT), streamed: the nodes that matter most to
// the picture are drawn until the budget of points is spent. Nodes add to their
// parents, so that a picture is there with the first node.

import { Box3, BufferAttribute, BufferGeometry, Frustum, Group, Matrix4, Points, type Ray, Sphere, Vector3 } from "three";
import { compact } from "../../../common/format";
import type { CloudAnalysis } from "../../../common/result";
import type { Frame } from "../../frame";
import type { CloudInfo, NodeAddress, NodeData } from "../../workers/protocol";
import type { Layer, LayerContext, View } from "../layer";
import { PointMaterial } from "./material";
import { CloudSource } from "./source";

interface Node {
	key: string;
	level: number;
	address: NodeAddress;
	box: Box3; // in the scene
	corner: [number, number, number]; // in coordinates of the source
	state: "absent" | "loading" | "loaded" | "failed";
	points?: Points;
	/** Frame in which it was last wanted. */
	used: number;
	children: string[];
}

/** Distance on the screen between points, in pixels, below which finer nodes are not asked for. */
const finest = 1.3;

/** Loaded points kept beyond those drawn, as a multiple of the budget. */
const kept = 1.6;

export class CloudLayer implements Layer {
	readonly object = new Group();
	readonly material = new PointMaterial();
	readonly points = true;
	budget = 2_000_000;
	info: CloudInfo | undefined;

	#nodes = new Map<string, Node>();
	#pages = new Map<string, { offset: number; length: number } | null>();
	#pagesLoading = new Set<string>();
	#bounds = new Box3();
	#core = new Box3();
	#tick = 0;
	#drawn = 0;
	#loaded = 0;
	#colorShift: number | undefined;
	#closed = false;

	private constructor(
		readonly source: CloudSource,
		readonly frame: Frame,
		readonly context: LayerContext,
	) {}

	/** Opens a cloud and its first node. */
	static async open(
		format: "copc" | "ept",
		url: string,
		frame: Frame,
		analysis: CloudAnalysis | undefined,
		context: LayerContext,
	): Promise<CloudLayer> {
		const layer = new CloudLayer(new CloudSource(format, url), frame, context);
		try {
			await layer.#open(analysis);
		} catch (error) {
			layer.dispose();
			throw error;
		}
		return layer;
	}

	async #open(analysis: CloudAnalysis | undefined): Promise<void> {
		const info = await this.source.open();
		this.info = info;
		this.#add(info.hierarchy);
		const root = this.#nodes.get("0-0-0-0");
		if (!root) throw new Error("the cloud has no points");
		const data = await this.source.node(root.key, root.address, root.corner);
		this.#colorShift = data.colorMax > 255 ? 8 : 0; // the first node tells for all
		this.#show(root, data);
		this.#ranges(data, analysis);
		this.material.colorBy(info.hasColor && data.colorMax > 0 ? "rgb" : "height");
	}

	get hasColor(): boolean {
		return Boolean(this.info?.hasColor);
	}

	/** Sets the ranges of heights and intensities to what nearly all points have. */
	#ranges(data: NodeData, analysis: CloudAnalysis | undefined): void {
		const heights = new Float32Array(data.intensities.length);
		for (let i = 0; i < heights.length; i++) heights[i] = data.positions[i * 3 + 2] ?? 0;
		heights.sort();
		const low = heights[Math.floor(heights.length * 0.01)] ?? 0;
		const high = heights[Math.ceil(heights.length * 0.99) - 1] ?? 1;
		const base = (this.#nodes.get("0-0-0-0")?.corner[2] ?? 0) - this.frame.origin.z;
		const f = this.frame.vertical;
		this.heights = [(low + base) * f, (high + base) * f + 1e-6];
		this.material.set("heights", this.heights);
		const b = analysis?.bounds;
		this.#bounds = b
			? this.#toScene(new Box3(new Vector3(...b.min), new Vector3(...b.max)))
			: this.#toScene(new Box3(new Vector3(...data.min), new Vector3(...data.max)));
		// A stray bird or pit far off would make the cloud a dot in the picture.
		const size = this.heights[1] - this.heights[0];
		this.#core.copy(this.#bounds);
		this.#core.min.z = Math.max(this.#bounds.min.z, this.heights[0] - size * 0.2);
		this.#core.max.z = Math.min(this.#bounds.max.z, this.heights[1] + size * 0.5);
		const sorted = Uint16Array.from(data.intensities).sort();
		const at = (q: number) => sorted[Math.floor((sorted.length - 1) * q)] ?? 0;
		this.material.set("intensities", [at(0.02), Math.max(at(0.99), at(0.01) + 1)]);
	}

	heights: [number, number] = [0, 1];

	#toScene(box: Box3): Box3 {
		const { origin, horizontal, vertical } = this.frame;
		const scale = new Vector3(horizontal, horizontal, vertical);
		box.min.sub(origin).multiply(scale);
		box.max.sub(origin).multiply(scale);
		return box;
	}

	#add(page: CloudInfo["hierarchy"]): void {
		for (const [key, address] of Object.entries(page.nodes)) {
			if (!this.#nodes.has(key)) this.#nodes.set(key, this.#node(key, address));
		}
		for (const [key, address] of Object.entries(page.pages)) {
			if (!page.nodes[key]) this.#pages.set(key, address);
		}
		for (const key of [...Object.keys(page.nodes), ...Object.keys(page.pages)]) {
			const parent = this.#nodes.get(parentOf(key));
			if (parent && parent.key !== key && !parent.children.includes(key)) parent.children.push(key);
		}
	}

	#node(key: string, address: NodeAddress): Node {
		const [level = 0, x = 0, y = 0, z = 0] = key.split("-").map(Number);
		const cube = this.info?.cube ?? [0, 0, 0, 1, 1, 1];
		const size = (cube[3] - cube[0]) / 2 ** level;
		const corner: [number, number, number] = [cube[0] + x * size, cube[1] + y * size, cube[2] + z * size];
		const box = new Box3(new Vector3(...corner), new Vector3(corner[0] + size, corner[1] + size, corner[2] + size));
		return { key, level, address, box: this.#toScene(box), corner, state: "absent", used: 0, children: [] };
	}

	bounds(): Box3 {
		return this.#bounds;
	}

	core(): Box3 {
		return this.#core;
	}

	summary(): string {
		return `${compact(this.#drawn)} of ${compact(this.info?.points ?? 0)} points`;
	}

	update(view: View): boolean {
		this.#tick++;
		const pixels = view.height / (2 * Math.tan((view.camera.fov * Math.PI) / 360));
		this.material.set("pixels", pixels);
		const wanted = this.#select(view, pixels);
		let busy = this.#pagesLoading.size > 0;
		let room = this.source.room;
		this.#drawn = 0;
		for (const node of this.#nodes.values()) if (node.points) node.points.visible = false;
		for (const node of wanted) {
			if (node.points) {
				node.points.visible = true;
				this.#drawn += node.address.points;
			} else if (node.state === "absent") {
				busy = true;
				if (room-- > 0) this.#load(node);
			} else if (node.state === "loading") {
				busy = true;
			}
		}
		this.#setSpacing(wanted);
		this.#trim();
		return busy;
	}

	/** The nodes that matter most to the picture, best first, within the budget. */
	#select(view: View, pixels: number): Node[] {
		const frustum = new Frustum().setFromProjectionMatrix(
			new Matrix4().multiplyMatrices(view.camera.projectionMatrix, view.camera.matrixWorldInverse),
		);
		const root = this.#nodes.get("0-0-0-0");
		const heap = new Heap<{ node: Node; weight: number }>((a, b) => b.weight - a.weight);
		const sphere = new Sphere();
		const consider = (node: Node) => {
			if (!frustum.intersectsBox(node.box)) return;
			node.box.getBoundingSphere(sphere);
			const distance = Math.max(node.box.distanceToPoint(view.camera.position), sphere.radius * 1e-3);
			const onScreen = ((this.info?.spacing ?? 1) * this.frame.horizontal * pixels) / 2 ** node.level / distance;
			// The spacing of the parent tells whether this node would add anything to see.
			if (node.level > 0 && onScreen * 2 < finest) return;
			heap.push({ node, weight: (sphere.radius * pixels) / Math.max(distance, sphere.radius * 0.3) });
		};
		if (root) consider(root);
		const wanted: Node[] = [];
		let spent = 0;
		for (let top = heap.pop(); top; top = heap.pop()) {
			const { node } = top;
			if (spent + node.address.points > this.budget && wanted.length > 0) break;
			spent += node.address.points;
			node.used = this.#tick;
			wanted.push(node);
			for (const key of node.children) {
				const child = this.#nodes.get(key);
				if (child) consider(child);
				else if (this.#pages.has(key)) this.#loadPage(key);
			}
		}
		return wanted;
	}

	/** Points are as large as those around them are apart: where children are drawn, half. */
	#setSpacing(wanted: Node[]): void {
		const root = (this.info?.spacing ?? 1) * this.frame.horizontal;
		const shown = new Set(wanted.filter((n) => n.points).map((n) => n.key));
		for (const node of wanted) {
			if (!node.points) continue;
			let filled = 0;
			for (const key of node.children) if (shown.has(key)) filled++;
			const finer = filled === 0 ? 0 : 0.35 + (0.65 * filled) / Math.max(node.children.length, 1);
			node.points.userData.spacing = root / 2 ** (node.level + finer);
		}
	}

	#load(node: Node): void {
		node.state = "loading";
		this.source.node(node.key, node.address, node.corner, this.#colorShift).then(
			(data) => {
				if (this.#closed) return;
				this.#show(node, data);
				this.context.invalidate();
			},
			(error) => {
				if (this.#closed) return;
				node.state = "failed";
				this.context.onError(error);
				this.context.invalidate();
			},
		);
	}

	#loadPage(key: string): void {
		if (this.#pagesLoading.has(key)) return;
		this.#pagesLoading.add(key);
		this.source.page(key, this.#pages.get(key) ?? null).then(
			(page) => {
				this.#pagesLoading.delete(key);
				this.#pages.delete(key);
				this.#add(page);
				this.context.invalidate();
			},
			(error) => {
				this.#pagesLoading.delete(key);
				this.#pages.delete(key);
				if (!this.#closed) this.context.onError(error);
			},
		);
	}

	#show(node: Node, data: NodeData): void {
		const geometry = new BufferGeometry();
		geometry.setAttribute("position", new BufferAttribute(data.positions, 3));
		geometry.setAttribute("rgb", new BufferAttribute(data.colors ?? new Uint8Array(data.positions.length), 3, true));
		geometry.setAttribute("intensity", new BufferAttribute(data.intensities, 1));
		geometry.setAttribute("classification", new BufferAttribute(data.classes, 1));
		const { origin, horizontal, vertical } = this.frame;
		const points = new Points(geometry, this.material);
		points.position.set(
			(node.corner[0] - origin.x) * horizontal,
			(node.corner[1] - origin.y) * horizontal,
			(node.corner[2] - origin.z) * vertical,
		);
		points.scale.set(horizontal, horizontal, vertical);
		points.updateMatrix();
		points.updateMatrixWorld();
		points.matrixAutoUpdate = false;
		points.frustumCulled = false; // nodes were chosen by the view
		points.visible = false;
		points.onBeforeRender = () => {
			this.material.set("spacing", points.userData.spacing ?? 1);
		};
		this.object.add(points);
		node.points = points;
		node.state = "loaded";
		node.box = this.#toScene(new Box3(new Vector3(...data.min), new Vector3(...data.max)));
		this.#loaded += node.address.points;
	}

	/** Frees the nodes that were not wanted for longest. */
	#trim(): void {
		const limit = this.budget * kept;
		if (this.#loaded <= limit) return;
		const old = [...this.#nodes.values()].filter((n) => n.points && n.used < this.#tick && n.level > 0);
		old.sort((a, b) => a.used - b.used || b.level - a.level);
		for (const node of old) {
			if (this.#loaded <= limit) break;
			this.#drop(node);
		}
	}

	#drop(node: Node): void {
		if (!node.points) return;
		this.object.remove(node.points);
		node.points.geometry.dispose();
		node.points = undefined;
		node.state = "absent";
		this.#loaded -= node.address.points;
	}

	refine(ray: Ray, near: Vector3, tolerance: number): Vector3 | undefined {
		const around = new Sphere(near, tolerance);
		const p = new Vector3();
		let best: Vector3 | undefined;
		let least = tolerance;
		for (const node of this.#nodes.values()) {
			if (!node.points?.visible || !node.box.clone().expandByScalar(tolerance).intersectsSphere(around)) continue;
			const positions = node.points.geometry.getAttribute("position") as BufferAttribute;
			for (let i = 0; i < positions.count; i++) {
				p.fromBufferAttribute(positions, i).applyMatrix4(node.points.matrixWorld);
				if (p.distanceToSquared(near) > tolerance * tolerance) continue;
				const d = ray.distanceToPoint(p);
				if (d < least) {
					least = d;
					best = p.clone();
				}
			}
		}
		return best;
	}

	dispose(): void {
		this.#closed = true;
		this.source.close();
		for (const node of this.#nodes.values()) this.#drop(node);
		this.material.dispose();
	}
}

function parentOf(key: string): string {
	const [level = 0, x = 0, y = 0, z = 0] = key.split("-").map(Number);
	return level === 0 ? "" : [level - 1, x >> 1, y >> 1, z >> 1].join("-");
}

/** A binary heap, first by the order. */
class Heap<T> {
	#items: T[] = [];

	constructor(readonly order: (a: T, b: T) => number) {}

	push(item: T): void {
		const items = this.#items;
		let i = items.length;
		items.push(item);
		while (i > 0) {
			const parent = (i - 1) >> 1;
			const above = items[parent] as T;
			if (this.order(above, item) <= 0) break;
			items[i] = above;
			i = parent;
		}
		items[i] = item;
	}

	pop(): T | undefined {
		const items = this.#items;
		const top = items[0];
		const last = items.pop();
		if (items.length === 0 || last === undefined) return top;
		let i = 0;
		for (;;) {
			let child = 2 * i + 1;
			if (child >= items.length) break;
			if (child + 1 < items.length && this.order(items[child + 1] as T, items[child] as T) < 0) child++;
			if (this.order(items[child] as T, last) >= 0) break;
			items[i] = items[child] as T;
			i = child;
		}
		items[i] = last;
		return top;
	}
}
