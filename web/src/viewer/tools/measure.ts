// Measurements: what they are, and their numbers. Drawing is in overlay.ts.

import { Vector3 } from "three";

export type MeasureKind = "point" | "distance" | "height" | "area";

export interface Measurement {
	id: number;
	kind: MeasureKind;
	points: Vector3[];
	/** Area: the ring is closed; all: no more points are taken. */
	done: boolean;
}

export type Units = "metric" | "feet";

const foot = 0.3048;

export function length(metres: number, units: Units): string {
	if (units === "feet") return `${trim(metres / foot)} ft`;
	const abs = Math.abs(metres);
	if (abs >= 1000) return `${trim(metres / 1000)} km`;
	if (abs > 0 && abs < 0.1) return `${trim(metres * 1000)} mm`;
	return `${trim(metres)} m`;
}

export function area(squareMetres: number, units: Units): string {
	if (units === "feet") {
		const feet = squareMetres / foot ** 2;
		return feet >= 43560 * 10 ? `${trim(feet / 43560)} ac` : `${trim(feet)} ft²`;
	}
	return squareMetres >= 100000 ? `${trim(squareMetres / 10000)} ha` : `${trim(squareMetres)} m²`;
}

function trim(n: number): string {
	const abs = Math.abs(n);
	const digits = abs >= 1000 ? 1 : abs >= 100 ? 2 : 3;
	return n.toLocaleString("en", { minimumFractionDigits: Math.min(2, digits), maximumFractionDigits: digits });
}

/** Vector area of a ring (Newell): its length is the area of the plane that fits best. */
function vectorArea(points: Vector3[]): Vector3 {
	const sum = new Vector3();
	const origin = points[0];
	if (!origin) return sum;
	for (let i = 1; i + 1 < points.length; i++) {
		const a = (points[i] as Vector3).clone().sub(origin);
		const b = (points[i + 1] as Vector3).clone().sub(origin);
		sum.add(a.cross(b));
	}
	return sum.multiplyScalar(0.5);
}

export interface Figure {
	name: string;
	value: string;
}

/** The numbers of a measurement, the first being what its label says. */
export function figures(m: Measurement, units: Units): Figure[] {
	const p = m.points;
	const [a, b] = [p[0], p[p.length - 1]];
	if (!a || !b) return [];
	switch (m.kind) {
		case "point":
			return [];
		case "distance": {
			let total = 0;
			for (let i = 1; i < p.length; i++) total += (p[i] as Vector3).distanceTo(p[i - 1] as Vector3);
			const flat = p.slice(1).reduce((sum, q, i) => sum + Math.hypot(q.x - (p[i] as Vector3).x, q.y - (p[i] as Vector3).y), 0);
			return [
				{ name: "Distance", value: length(total, units) },
				{ name: "Horizontal", value: length(flat, units) },
				{ name: "Vertical", value: length(b.z - a.z, units) },
			];
		}
		case "height": {
			const rise = b.z - a.z;
			const run = Math.hypot(b.x - a.x, b.y - a.y);
			return [
				{ name: "Height", value: length(rise, units) },
				{ name: "Horizontal", value: length(run, units) },
				{ name: "Slope", value: run > 0 ? `${((100 * rise) / run).toFixed(1)} %` : "vertical" },
			];
		}
		case "area": {
			if (p.length < 3) return [{ name: "Area", value: "–" }];
			const v = vectorArea(p);
			let rim = 0;
			p.forEach((q, i) => {
				rim += q.distanceTo(p[(i + 1) % p.length] as Vector3);
			});
			return [
				{ name: "Area", value: area(v.length(), units) },
				{ name: "Seen from above", value: area(Math.abs(v.z), units) },
				{ name: "Perimeter", value: length(rim, units) },
			];
		}
	}
}

/** How many points finish a measurement; undefined is as many as are wanted. */
export function pointsWanted(kind: MeasureKind): number | undefined {
	return kind === "point" ? 1 : kind === "height" ? 2 : undefined;
}

export function measureTitle(kind: MeasureKind): string {
	return { point: "Point", distance: "Distance", height: "Height", area: "Area" }[kind];
}
