// What lies over the picture: measurements and the section box, as lines and
// labels in screen space. They are worked out once for each picture and drawn
// as SVG, or onto a canvas for screenshots.

import { type Box3, Matrix4, type PerspectiveCamera, Vector3, Vector4 } from "three";
import { figures, type Measurement, measureTitle, type Units } from "./measure";

interface Line {
	a: [number, number];
	b: [number, number];
	style: "measure" | "draft" | "help" | "section";
}

interface Dot {
	at: [number, number];
	style: "measure" | "draft";
}

interface Label {
	at: [number, number];
	text: string;
}

interface Handle {
	at: [number, number];
	axis: 0 | 1 | 2;
	side: "min" | "max";
}

export interface Drawing {
	lines: Line[];
	dots: Dot[];
	labels: Label[];
	fills: [number, number][][];
	handles: Handle[];
}

/** Projects places of the scene to CSS pixels, lines cut at the near plane. */
class Projection {
	#matrix: Matrix4;

	constructor(
		camera: PerspectiveCamera,
		readonly width: number,
		readonly height: number,
	) {
		this.#matrix = new Matrix4().multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse);
	}

	#clip(p: Vector3): Vector4 {
		return new Vector4(p.x, p.y, p.z, 1).applyMatrix4(this.#matrix);
	}

	#screen(c: Vector4): [number, number] {
		return [((c.x / c.w + 1) / 2) * this.width, ((1 - c.y / c.w) / 2) * this.height];
	}

	point(p: Vector3): [number, number] | undefined {
		const c = this.#clip(p);
		return c.w > 1e-6 && c.z > -c.w ? this.#screen(c) : undefined;
	}

	line(p: Vector3, q: Vector3): [[number, number], [number, number]] | undefined {
		const a = this.#clip(p);
		const b = this.#clip(q);
		const [da, db] = [a.z + a.w, b.z + b.w];
		if (da <= 0 && db <= 0) return undefined;
		if (da < 0) a.lerp(b, da / (da - db) + 1e-6);
		else if (db < 0) b.lerp(a, db / (db - da) + 1e-6);
		return [this.#screen(a), this.#screen(b)];
	}
}

export interface Shown {
	measurements: Measurement[];
	/** Where the next point would be. */
	hover?: Vector3;
	section?: Box3;
	/** The box can be dragged. */
	handles: boolean;
	units: Units;
}

/** Works out what is to be drawn over a picture. */
export function arrange(shown: Shown, camera: PerspectiveCamera, width: number, height: number): Drawing {
	const projection = new Projection(camera, width, height);
	const d: Drawing = { lines: [], dots: [], labels: [], fills: [], handles: [] };
	for (const m of shown.measurements) addMeasurement(m, shown, projection, d);
	if (shown.section) addSection(shown.section, shown.handles, projection, d);
	const open = shown.measurements.some((m) => !m.done);
	if (shown.hover && !open) addDot(shown.hover, "draft", projection, d);
	return d;
}

function addDot(p: Vector3, style: Dot["style"], projection: Projection, d: Drawing): void {
	const at = projection.point(p);
	if (at) d.dots.push({ at, style });
}

function addLine(a: Vector3, b: Vector3, style: Line["style"], projection: Projection, d: Drawing): void {
	const line = projection.line(a, b);
	if (line) d.lines.push({ a: line[0], b: line[1], style });
}

function addMeasurement(m: Measurement, shown: Shown, projection: Projection, d: Drawing): void {
	const draft = !m.done && shown.hover ? [...m.points, shown.hover] : m.points;
	const style = m.done ? "measure" : "draft";
	const live: Measurement = { ...m, points: draft };
	for (const p of draft) addDot(p, style, projection, d);
	const [a, b] = [draft[0], draft[draft.length - 1]];
	if (!a || !b) return;
	if (m.kind === "height") {
		const corner = new Vector3(b.x, b.y, a.z);
		addLine(a, corner, "help", projection, d);
		addLine(corner, b, style, projection, d);
		addLine(a, b, "help", projection, d);
		addLabel(corner.clone().lerp(b, 0.5), live, shown.units, projection, d);
		return;
	}
	for (let i = 1; i < draft.length; i++) addLine(draft[i - 1] as Vector3, draft[i] as Vector3, style, projection, d);
	if (m.kind === "area" && draft.length > 2) {
		addLine(b, a, m.done ? "measure" : "help", projection, d);
		const ring = draft.map((p) => projection.point(p));
		if (ring.every((p) => p !== undefined)) d.fills.push(ring as [number, number][]);
	}
	addLabel(middle(m.kind, draft), live, shown.units, projection, d);
}

function middle(kind: Measurement["kind"], points: Vector3[]): Vector3 {
	if (kind === "area") {
		const sum = new Vector3();
		for (const p of points) sum.add(p);
		return sum.divideScalar(points.length);
	}
	const last = points[points.length - 1] as Vector3;
	if (points.length === 2) return (points[0] as Vector3).clone().lerp(last, 0.5);
	return last.clone();
}

function addLabel(p: Vector3, m: Measurement, units: Units, projection: Projection, d: Drawing): void {
	const at = projection.point(p);
	if (!at) return;
	if (m.kind === "point") {
		d.labels.push({ at, text: `${measureTitle(m.kind)} ${m.id}` });
		return;
	}
	if (m.points.length < 2) return;
	const first = figures(m, units)[0];
	if (first && first.value !== "–") d.labels.push({ at, text: first.value });
}

function addSection(box: Box3, handles: boolean, projection: Projection, d: Drawing): void {
	const corner = (i: number) =>
		new Vector3(i & 1 ? box.max.x : box.min.x, i & 2 ? box.max.y : box.min.y, i & 4 ? box.max.z : box.min.z);
	for (let i = 0; i < 8; i++) {
		for (const bit of [1, 2, 4]) if (!(i & bit)) addLine(corner(i), corner(i | bit), "section", projection, d);
	}
	if (!handles) return;
	const center = box.getCenter(new Vector3());
	for (const axis of [0, 1, 2] as const) {
		for (const side of ["min", "max"] as const) {
			const p = center.clone().setComponent(axis, box[side].getComponent(axis));
			const at = projection.point(p);
			if (at) d.handles.push({ at, axis, side });
		}
	}
}

const svgNamespace = "http://www.w3.org/2000/svg";

/** Keeps an SVG in step with drawings, reusing its elements. */
export class OverlayView {
	#pools = new Map<string, SVGElement[]>();
	#used = new Map<string, number>();

	constructor(
		readonly svg: SVGSVGElement,
		readonly onHandle: (event: PointerEvent, axis: 0 | 1 | 2, side: "min" | "max") => void,
	) {}

	show(d: Drawing): void {
		this.#used.clear();
		for (const ring of d.fills) {
			this.#element("polygon", "fill").setAttribute("points", ring.map((p) => p.join(",")).join(" "));
		}
		for (const line of d.lines) {
			const e = this.#element("line", `line ${line.style}`);
			e.setAttribute("x1", String(line.a[0]));
			e.setAttribute("y1", String(line.a[1]));
			e.setAttribute("x2", String(line.b[0]));
			e.setAttribute("y2", String(line.b[1]));
		}
		for (const dot of d.dots) this.#circle(`dot ${dot.style}`, dot.at, 4.5);
		for (const handle of d.handles) {
			const e = this.#circle(`handle axis-${handle.axis}`, handle.at, 9);
			(e as SVGElement & { onpointerdown: unknown }).onpointerdown = (event: PointerEvent) =>
				this.onHandle(event, handle.axis, handle.side);
		}
		for (const label of d.labels) {
			const e = this.#element("text", "label");
			e.setAttribute("x", String(label.at[0]));
			e.setAttribute("y", String(label.at[1] - 12));
			if (e.textContent !== label.text) e.textContent = label.text;
		}
		for (const [key, pool] of this.#pools) {
			for (let i = this.#used.get(key) ?? 0; i < pool.length; i++) pool[i]?.remove();
			pool.length = Math.min(pool.length, this.#used.get(key) ?? 0);
		}
	}

	#circle(className: string, at: [number, number], radius: number): SVGElement {
		const e = this.#element("circle", className);
		e.setAttribute("cx", String(at[0]));
		e.setAttribute("cy", String(at[1]));
		e.setAttribute("r", String(radius));
		return e;
	}

	#element(name: string, className: string): SVGElement {
		const key = `${name} ${className}`;
		const pool = this.#pools.get(key) ?? [];
		this.#pools.set(key, pool);
		const n = this.#used.get(key) ?? 0;
		this.#used.set(key, n + 1);
		let e = pool[n];
		if (!e) {
			e = document.createElementNS(svgNamespace, name) as SVGElement;
			e.setAttribute("class", className);
			pool.push(e);
			this.svg.append(e);
		}
		return e;
	}
}

/** Draws over a screenshot what is seen over the picture. */
export function paint(d: Drawing, c: CanvasRenderingContext2D, scale: number): void {
	const colors = { measure: "#f5a524", draft: "#f5a524", help: "rgba(245,165,36,.6)", section: "#4c8df6" };
	c.save();
	c.scale(scale, scale);
	c.lineCap = "round";
	for (const ring of d.fills) {
		c.beginPath();
		for (const [x, y] of ring) c.lineTo(x, y);
		c.closePath();
		c.fillStyle = "rgba(245,165,36,.18)";
		c.fill();
	}
	for (const { a, b, style } of d.lines) {
		c.beginPath();
		c.moveTo(...a);
		c.lineTo(...b);
		c.strokeStyle = colors[style];
		c.lineWidth = style === "measure" ? 2.5 : 1.5;
		c.setLineDash(style === "help" ? [4, 4] : []);
		c.stroke();
	}
	for (const { at } of d.dots) {
		c.beginPath();
		c.arc(at[0], at[1], 4.5, 0, 2 * Math.PI);
		c.fillStyle = "#fff";
		c.fill();
		c.strokeStyle = colors.measure;
		c.setLineDash([]);
		c.lineWidth = 2;
		c.stroke();
	}
	c.font = "600 13px Inter, system-ui, sans-serif";
	c.textAlign = "center";
	for (const { at, text } of d.labels) {
		c.lineWidth = 4;
		c.lineJoin = "round";
		c.strokeStyle = "rgba(12,15,20,.85)";
		c.strokeText(text, at[0], at[1] - 12);
		c.fillStyle = "#fff";
		c.fillText(text, at[0], at[1] - 12);
	}
	c.restore();
}
