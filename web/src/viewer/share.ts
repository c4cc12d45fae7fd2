// A view in the part of an address after "#": short, readable, and never sent to
// a server.

import { Box3, Vector3 } from "three";
import type { Pose } from "./engine/stage";
import type { ColorBy } from "./layers/cloud/material";
import type { Shading } from "./layers/shading";
import type { MeasureKind, Measurement } from "./tools/measure";

export interface SavedView {
	pose?: Pose;
	source?: string;
	colorBy?: ColorBy;
	shading?: Shading;
	section?: Box3;
	measurements?: Measurement[];
}

const colors: readonly ColorBy[] = ["rgb", "height", "intensity", "class"];
const shadings: readonly Shading[] = ["lit", "flat", "clay", "wireframe"];
const kinds: readonly MeasureKind[] = ["point", "distance", "height", "area"];

// Seven digits are what the GPU has, whether the model is a ring or a town.
const list = (numbers: number[]) => numbers.map((n) => Number(n.toPrecision(7))).join(",");

export function encodeView(v: SavedView): string {
	const q = new URLSearchParams();
	if (v.pose) q.set("camera", list([...v.pose.position, ...v.pose.target]));
	if (v.source) q.set("show", v.source);
	if (v.colorBy) q.set("color", v.colorBy);
	if (v.shading && v.shading !== "lit") q.set("shading", v.shading);
	if (v.section) q.set("section", list([...v.section.min.toArray(), ...v.section.max.toArray()]));
	for (const m of v.measurements ?? []) q.append("measure", `${m.kind}:${list(m.points.flatMap((p) => p.toArray()))}`);
	return q.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
}

/** Reads a view; what is damaged is left out. */
export function readView(hash: string): SavedView | undefined {
	const q = new URLSearchParams(hash.replace(/^#/, ""));
	if ([...q.keys()].length === 0) return undefined;
	const v: SavedView = {};
	const camera = numbers(q.get("camera"));
	if (camera?.length === 6) {
		const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = camera;
		v.pose = { position: [a, b, c], target: [d, e, f] };
	}
	v.source = q.get("show") ?? undefined;
	v.colorBy = colors.find((c) => c === q.get("color"));
	v.shading = shadings.find((s) => s === q.get("shading"));
	const section = numbers(q.get("section"));
	if (section?.length === 6) {
		const box = new Box3(new Vector3().fromArray(section, 0), new Vector3().fromArray(section, 3));
		if (!box.isEmpty()) v.section = box;
	}
	v.measurements = q.getAll("measure").flatMap((text, i) => measurement(text, i + 1));
	return v;
}

function measurement(text: string, id: number): Measurement[] {
	const [name, rest] = text.split(":");
	const kind = kinds.find((k) => k === name);
	const values = numbers(rest ?? null);
	if (!kind || !values || values.length === 0 || values.length % 3) return [];
	const points = Array.from({ length: values.length / 3 }, (_, i) => new Vector3().fromArray(values, i * 3));
	return [{ id, kind, points, done: true }];
}

function numbers(text: string | null): number[] | undefined {
	if (!text) return undefined;
	const values = text.split(",").map(Number);
	return values.every(Number.isFinite) ? values : undefined;
}
