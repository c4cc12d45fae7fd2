// The Viewer ties the stage, the layers and the tools to the state of the page.

import { batch, effect } from "@preact/signals";
import { Box3, type Ray, Vector3 } from "three";
import { cloudOf, fileURL, outputURL } from "../common/result";
import { Stage } from "./engine/stage";
import { type Frame, frameOf, toSource } from "./frame";
import { type Camera, CamerasLayer, viewFrom } from "./layers/cameras";
import { CloudLayer } from "./layers/cloud/cloud";
import type { Layer, LayerContext } from "./layers/layer";
import { MeshLayer } from "./layers/mesh";
import { TerrainLayer } from "./layers/terrain";
import { TilesLayer } from "./layers/tiles";
import { firstSource, OpenError, open, type Source, sourcesOf } from "./open";
import { encodeView, readView, type SavedView } from "./share";
import * as state from "./state";
import { type Measurement, pointsWanted } from "./tools/measure";
import { arrange, OverlayView, paint } from "./tools/overlay";

export class Viewer {
	readonly stage: Stage;
	#frame: Frame = frameOf(undefined);
	#layer: Layer | undefined;
	#cameras: CamerasLayer | undefined;
	#overlay: OverlayView;
	#opening = 0;
	#meshOffset: Vector3 | undefined;
	#saved: SavedView | undefined;
	#stops: (() => void)[] = [];
	#nextID = 1;
	#fitted = false;
	/** A smaller model is shown until the one that was asked for is there. */
	#refining = false;

	constructor(
		readonly canvas: HTMLCanvasElement,
		svg: SVGSVGElement,
	) {
		this.stage = new Stage(canvas);
		this.#overlay = new OverlayView(svg, (event, axis, side) => this.#dragSection(event, axis, side));
		this.stage.onFrame = (busy) => this.#afterFrame(busy);
		this.#follow();
		this.#listen();
	}

	/** Opens the result that the address names. */
	async start(): Promise<void> {
		this.#saved = readView(location.hash);
		try {
			const opened = await open();
			const sources = sourcesOf(opened.result);
			this.#frame = frameOf(opened.result.analysis);
			batch(() => {
				state.opened.value = opened;
				state.sources.value = sources;
				const classes = (cloudOf(opened.result.analysis)?.classes ?? []).map((c) => c.class);
				state.hiddenClasses.value = new Set(classes.filter(isNoise));
			});
			document.title = `${opened.result.name ?? "Result"} · Slate360`;
			const first = sources.find((s) => s.id === this.#saved?.source) ?? firstSource(sources);
			if (!first) {
				state.phase.value = "empty";
				tell("empty");
				return;
			}
			this.#applySaved();
			await this.show(first);
			await this.#openCameras();
		} catch (error) {
			this.#fail(error);
		}
	}

	/** Shows another source in place of the one that is shown. */
	async show(source: Source): Promise<void> {
		const turn = ++this.#opening;
		this.#refining = false;
		tell("loading");
		batch(() => {
			state.active.value = source;
			state.phase.value = "loading";
			state.loaded.value = undefined;
			state.problem.value = undefined;
		});
		try {
			if (source.quick && !this.#layer) {
				if (!(await this.#put({ ...source, output: source.quick }, turn))) return;
				this.#refining = true;
			}
			await this.#put(source, turn);
		} catch (error) {
			if (turn === this.#opening) this.#fail(error);
		} finally {
			if (turn === this.#opening) this.#refining = false;
			this.stage.invalidate();
		}
	}

	/** Loads a source and shows it, unless another was asked for meanwhile. */
	async #put(source: Source, turn: number): Promise<boolean> {
		const layer = await this.#make(source, turn);
		if (turn !== this.#opening) {
			layer.dispose();
			return false;
		}
		this.#swap(layer);
		state.phase.value = "ready";
		return true;
	}

	async #make(source: Source, turn: number): Promise<Layer> {
		const opened = state.opened.value;
		if (!opened) throw new Error("no result is open");
		const url = outputURL(opened, source.output);
		const analysis = cloudOf(opened.result.analysis);
		const context = this.#context();
		switch (source.kind) {
			case "cloud":
				return CloudLayer.open(source.output.type === "ept" ? "ept" : "copc", url, this.#frame, analysis, context);
			case "tiles":
				return TilesLayer.open(url, source.output.points ? "cloud" : "mesh", this.#frame, context);
			case "terrain": {
				const color = source.color ? outputURL(opened, source.color) : undefined;
				if (source.output.type === "orthophoto") return TerrainLayer.open(undefined, url, this.#frame, context);
				return TerrainLayer.open(url, color, this.#frame, context);
			}
			case "mesh": {
				const progress = (part: number) => {
					if (turn === this.#opening) state.loaded.value = part;
				};
				const layer = await MeshLayer.open(url, context, progress, this.#frame.model ?? this.#meshOffset);
				this.#meshOffset ??= layer.offset;
				return layer;
			}
		}
	}

	#context(): LayerContext {
		return {
			renderer: this.stage.renderer,
			invalidate: this.stage.invalidate,
			onShine: () => this.stage.useEnvironment(),
			onError: (error) => {
				state.notice.value = `Part of the data could not be loaded: ${text(error)}`;
			},
		};
	}

	#swap(layer: Layer): void {
		const old = this.#layer;
		this.#layer = layer;
		if (old) {
			this.stage.remove(old);
			old.dispose();
		}
		if (layer instanceof CloudLayer) {
			const by = this.#saved?.colorBy;
			batch(() => {
				state.hasColor.value = layer.hasColor;
				if (by) state.colorBy.value = by;
				else if (!layer.hasColor && state.colorBy.value === "rgb") state.colorBy.value = "height";
				state.heightLimits.value = layer.heights;
				state.heightRange.value = layer.heights;
			});
		}
		state.hasPoints.value = layer.points;
		this.stage.add(layer);
		this.#style();
		this.#limitSection();
		if (!this.#fitted) {
			this.#fitted = true;
			if (this.#saved?.pose) this.stage.go(this.#saved.pose, "once");
			else this.stage.fit("home", "once");
		} else if (old && farApart(old.bounds(), layer.bounds())) {
			this.stage.fit("home");
		}
		this.stage.invalidate();
	}

	/** Takes what the controls say over to the layer. */
	#style(): void {
		const layer = this.#layer;
		if (layer instanceof CloudLayer) {
			layer.budget = state.budget.value;
			layer.material.colorBy(state.colorBy.value);
			layer.material.set("heights", state.heightRange.value);
			layer.material.set("factor", state.pointSize.value);
			for (let i = 0; i < 256; i++) layer.material.showClass(i, !state.hiddenClasses.value.has(i));
		} else if (layer instanceof TilesLayer) {
			layer.shade(state.shading.value);
			layer.pointSize = 1 + state.pointSize.value;
			layer.detail = state.detail.value;
		} else if (layer instanceof MeshLayer) {
			layer.shade(state.shading.value);
		}
		this.stage.shadeDepth = state.eyeDome.value;
		this.stage.eyeDome.strength = state.eyeDomeStrength.value;
		this.stage.invalidate();
	}

	#follow(): void {
		this.#stops.push(
			effect(() => {
				// Read here, so that the effect knows of them whatever the layer is.
				void [state.budget.value, state.colorBy.value, state.heightRange.value, state.pointSize.value, state.hiddenClasses.value];
				void [state.shading.value, state.detail.value, state.eyeDome.value, state.eyeDomeStrength.value];
				this.#style();
			}),
			effect(() => {
				const name = state.gradient.value;
				if (this.#layer instanceof CloudLayer) this.#layer.material.gradient(name);
				this.stage.invalidate();
			}),
			effect(() => {
				this.stage.clip(state.section.value);
			}),
			effect(() => {
				void [state.measurements.value, state.units.value, state.hover.value, state.panelTab.value, state.panelOpen.value];
				this.stage.invalidate();
			}),
			effect(() => {
				localStorage.setItem("slate360.units", state.units.value);
			}),
			effect(() => {
				const shown = state.camerasShown.value;
				if (this.#cameras) this.#cameras.object.visible = shown;
				this.stage.invalidate();
			}),
			effect(() => {
				this.canvas.classList.toggle("picking", state.tool.value !== undefined);
				if (!state.tool.value) state.hover.value = undefined;
			}),
		);
	}

	async #openCameras(): Promise<void> {
		const opened = state.opened.value;
		const output = opened?.result.outputs.find((o) => o.type === "cameras" || o.path?.endsWith("cameras.json"));
		if (!opened || !output) return;
		try {
			const cameras = await CamerasLayer.open(outputURL(opened, output), this.#frame, (path) => fileURL(opened, path));
			cameras.object.visible = state.camerasShown.value;
			this.#cameras = cameras;
			this.stage.scene.add(cameras.object);
			state.hasCameras.value = true;
		} catch (error) {
			state.notice.value = `The camera poses could not be loaded: ${text(error)}`;
		}
	}

	#afterFrame(loading: boolean): void {
		const { clientWidth: width, clientHeight: height } = this.canvas;
		this.#overlay.show(arrange(this.#shown(), this.stage.camera, width, height));
		if (!this.#layer || state.phase.value !== "ready") return;
		const busy = loading || this.#refining;
		batch(() => {
			state.busy.value = busy;
			state.summary.value = this.#layer?.summary() ?? "";
			state.hasPoints.value = this.#layer?.points ?? false;
		});
		if (performance.getEntriesByName("first-picture").length === 0) performance.mark("first-picture");
		tell(busy ? "shown" : "settled");
	}

	#shown() {
		return {
			measurements: state.measurements.value,
			hover: state.hover.value,
			section: state.section.value,
			handles: state.panelTab.value === "section" && state.panelOpen.value,
			units: state.units.value,
		};
	}

	#fail(error: unknown): void {
		batch(() => {
			state.phase.value = "failed";
			state.problem.value = { message: text(error), status: error instanceof OpenError ? error.status : undefined };
		});
		tell("failed");
	}

	// Pointer and measuring.

	#listen(): void {
		const canvas = this.canvas;
		let down: { x: number; y: number } | undefined;
		let waiting = 0;
		canvas.addEventListener("pointerdown", (e) => {
			down = { x: e.clientX, y: e.clientY };
			canvas.focus({ preventScroll: true }); // keys go on from here
		});
		canvas.addEventListener("pointerup", (e) => {
			const still = down && Math.hypot(e.clientX - down.x, e.clientY - down.y) < 5;
			down = undefined;
			if (still && e.button === 0) this.#click(e);
		});
		canvas.addEventListener("pointermove", (e) => {
			if (e.buttons || waiting || e.pointerType === "touch") return;
			const { offsetX, offsetY } = e;
			waiting = window.setTimeout(() => {
				waiting = 0;
				this.#point(offsetX, offsetY);
			}, 40);
		});
		canvas.addEventListener("pointerleave", () => {
			state.hover.value = undefined;
			state.cursor.value = undefined;
		});
		canvas.addEventListener("dblclick", (e) => {
			if (state.tool.value) this.finish();
			else this.#approach(e.offsetX, e.offsetY);
		});
	}

	#point(x: number, y: number): void {
		if (state.phase.value !== "ready") return;
		const p = this.stage.pick(x, y, false);
		batch(() => {
			state.hover.value = state.tool.value ? p : undefined;
			state.cursor.value = p && this.place(p);
		});
	}

	#click(e: PointerEvent): void {
		if (state.tool.value) {
			const p = this.stage.pick(e.offsetX, e.offsetY);
			if (p) this.addPoint(p);
			return;
		}
		if (this.#cameras && state.camerasShown.value) {
			const hit = this.#cameras.hit(this.stage.ray(e.offsetX, e.offsetY));
			if (hit) this.choose(hit);
		}
	}

	/** Shows a photo, and which camera took it; undefined shows none. */
	choose(camera: Camera | undefined): void {
		state.photo.value = camera;
		this.#cameras?.highlight(camera);
		this.stage.invalidate();
	}

	/** The photo that comes so many after another. */
	photoAfter(camera: Camera, step: number): Camera | undefined {
		const list = this.#cameras?.cameras ?? [];
		return list[(list.indexOf(camera) + step + list.length) % list.length];
	}

	/** Flies to where a photo was taken. */
	standAt(camera: Camera): void {
		const center = this.stage.bounds().getCenter(new Vector3());
		const size = this.stage.bounds().getSize(new Vector3()).length();
		this.stage.go(viewFrom(camera, Math.max(center.sub(camera.at).dot(camera.forward), size * 0.05)));
	}

	/** Flies nearer to what was double-clicked, and turns about it from then on. */
	#approach(x: number, y: number): void {
		const p = this.stage.pick(x, y);
		if (!p) return;
		const from = this.stage.camera.position;
		const to = from.clone().lerp(p, 0.5);
		this.stage.go({ position: to.toArray(), target: p.toArray() });
	}

	/** Adds a point to the measurement that is being taken, or begins one. */
	addPoint(p: Vector3): void {
		const kind = state.tool.value;
		if (!kind) return;
		const list = state.measurements.value;
		const last = list[list.length - 1];
		const current: Measurement =
			last && !last.done && last.kind === kind ? last : { id: this.#nextID++, kind, points: [], done: false };
		// A double click gives the same place twice.
		const previous = current.points[current.points.length - 1];
		if (previous && previous.distanceTo(p) < this.stage.worldPerPixel(p) * 2) {
			this.finish();
			return;
		}
		const points = [...current.points, p];
		const done = points.length === pointsWanted(kind);
		const rest = list.filter((m) => m.id !== current.id && m.done);
		state.measurements.value = [...rest, { ...current, points, done }];
	}

	/** Ends the measurement that is being taken; one with too few points is dropped. */
	finish(): void {
		const least = { point: 1, distance: 2, height: 2, area: 3 };
		state.measurements.value = state.measurements.value
			.filter((m) => m.done || m.points.length >= least[m.kind])
			.map((m) => ({ ...m, done: true }));
	}

	/** Drops the measurement that is being taken, or puts the tool away. */
	cancel(): void {
		const list = state.measurements.value;
		if (list.some((m) => !m.done)) state.measurements.value = list.filter((m) => m.done);
		else state.tool.value = undefined;
	}

	/** Takes the place in the middle of the picture, for those who have no pointer. */
	pointAtCenter(): void {
		const p = this.stage.pick(this.canvas.clientWidth / 2, this.canvas.clientHeight / 2);
		if (p) this.addPoint(p);
	}

	place(p: Vector3) {
		const own = this.#layer?.place?.(p);
		if (own) return own;
		const digits = this.#frame.unit === "degree" ? 7 : 2;
		return { label: this.#frame.crs ?? "x, y, z", values: toSource(this.#frame, p).map((n) => n.toFixed(digits)) };
	}

	// Section.

	toggleSection(): void {
		const limits = state.sectionLimits.value;
		state.section.value = state.section.value || !limits ? undefined : limits.clone();
	}

	#limitSection(): void {
		const box = (this.#layer?.core?.() ?? this.#layer?.bounds() ?? new Box3()).clone();
		if (box.isEmpty()) return;
		const pad = box.getSize(new Vector3()).length() * 0.002;
		box.expandByScalar(pad);
		state.sectionLimits.value = box;
		const section = state.section.value;
		if (section && !section.intersectsBox(box)) state.section.value = undefined;
	}

	#dragSection(down: PointerEvent, axis: 0 | 1 | 2, side: "min" | "max"): void {
		const start = state.section.value;
		const limits = state.sectionLimits.value;
		if (!start || !limits) return;
		down.preventDefault();
		const svg = this.#overlay.svg;
		const center = start.getCenter(new Vector3()).setComponent(axis, start[side].getComponent(axis));
		const direction = new Vector3().setComponent(axis, 1);
		const along = (e: PointerEvent) => {
			const rect = this.canvas.getBoundingClientRect();
			return closestOnLine(this.stage.ray(e.clientX - rect.left, e.clientY - rect.top), center, direction);
		};
		const zero = along(down);
		this.stage.controls.enabled = false;
		const move = (e: PointerEvent) => {
			const box = start.clone();
			const value = start[side].getComponent(axis) + along(e) - zero;
			setFace(box, axis, side, value, limits);
			state.section.value = box;
		};
		const up = () => {
			this.stage.controls.enabled = true;
			svg.ownerDocument.removeEventListener("pointermove", move);
			svg.ownerDocument.removeEventListener("pointerup", up);
		};
		svg.ownerDocument.addEventListener("pointermove", move);
		svg.ownerDocument.addEventListener("pointerup", up);
	}

	// Sharing.

	/** The view as it is, for the part of an address after #. */
	viewState(): string {
		return encodeView({
			pose: this.stage.pose,
			source: state.active.value?.id,
			colorBy: this.#layer instanceof CloudLayer ? state.colorBy.value : undefined,
			shading: state.shading.value,
			section: state.section.value,
			measurements: state.measurements.value.filter((m) => m.done),
		});
	}

	#applySaved(): void {
		const saved = this.#saved;
		if (!saved) return;
		batch(() => {
			if (saved.shading) state.shading.value = saved.shading;
			if (saved.section) state.section.value = saved.section;
			if (saved.measurements) state.measurements.value = saved.measurements;
		});
		this.#nextID = 1 + Math.max(0, ...(saved.measurements ?? []).map((m) => m.id));
	}

	/** The picture with what lies over it, as PNG. */
	async screenshot(): Promise<Blob> {
		this.stage.drawNow();
		const out = document.createElement("canvas");
		out.width = this.canvas.width;
		out.height = this.canvas.height;
		const c = out.getContext("2d");
		if (!c) throw new Error("the browser gives no canvas to draw on");
		c.fillStyle = getComputedStyle(this.canvas.parentElement ?? document.body).backgroundColor;
		c.fillRect(0, 0, out.width, out.height);
		c.drawImage(this.canvas, 0, 0);
		const { clientWidth: width, clientHeight: height } = this.canvas;
		paint(
			arrange({ ...this.#shown(), hover: undefined, handles: false }, this.stage.camera, width, height),
			c,
			out.width / width,
		);
		return new Promise((resolve, reject) => {
			out.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture could not be encoded"))), "image/png");
		});
	}

	dispose(): void {
		for (const stop of this.#stops) stop();
		this.stage.dispose();
		this.#cameras?.dispose();
	}
}

/** Says on the document how far the picture is, for who watches the page from outside. */
function tell(progress: "loading" | "shown" | "settled" | "empty" | "failed"): void {
	document.documentElement.dataset.viewer = progress;
}

/** Sets a face of the box within limits, and away from the one across. */
export function setFace(box: Box3, axis: 0 | 1 | 2, side: "min" | "max", value: number, limits: Box3): void {
	const [low, high] = [limits.min.getComponent(axis), limits.max.getComponent(axis)];
	const gap = (high - low) * 0.005;
	if (side === "min") box.min.setComponent(axis, Math.max(low, Math.min(value, box.max.getComponent(axis) - gap)));
	else box.max.setComponent(axis, Math.min(high, Math.max(value, box.min.getComponent(axis) + gap)));
}

/** Where on a line a ray passes nearest, from its origin. */
function closestOnLine(ray: Ray, origin: Vector3, direction: Vector3): number {
	const w = origin.clone().sub(ray.origin);
	const b = direction.dot(ray.direction);
	const denominator = 1 - b * b;
	if (denominator < 1e-4) return 0;
	return (b * ray.direction.dot(w) - direction.dot(w)) / denominator;
}

/** Low and high noise of ASPRS: hidden until asked for. */
function isNoise(n: number): boolean {
	return n === 7 || n === 18;
}

function farApart(a: Box3, b: Box3): boolean {
	if (a.isEmpty() || b.isEmpty()) return false;
	const size = a.getSize(new Vector3()).length();
	const other = b.getSize(new Vector3()).length();
	return !a.intersectsBox(b) || size > 4 * other || other > 4 * size;
}

function text(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
