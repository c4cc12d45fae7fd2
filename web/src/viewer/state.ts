// What the viewer shows and how, as signals: the controls read and write them,
// the Viewer follows.

import { signal } from "@preact/signals";
import type { Box3, Vector3 } from "three";
import type { Opened } from "../common/result";
import type { Camera } from "./layers/cameras";
import type { ColorBy } from "./layers/cloud/material";
import type { Gradient } from "./layers/cloud/palette";
import type { Place } from "./layers/layer";
import type { Shading } from "./layers/shading";
import type { Source } from "./open";
import type { MeasureKind, Measurement, Units } from "./tools/measure";

export type Phase = "opening" | "loading" | "ready" | "failed" | "empty";

export const phase = signal<Phase>("opening");
export const problem = signal<{ message: string; status?: number } | undefined>(undefined);
export const opened = signal<Opened | undefined>(undefined);
export const sources = signal<Source[]>([]);
export const active = signal<Source | undefined>(undefined);
/** Part of the file that has come, 0 to 1, where that is known. */
export const loaded = signal<number | undefined>(undefined);
/** More detail is on its way. */
export const busy = signal(false);
export const summary = signal("");
export const notice = signal<string | undefined>(undefined);

export const small = matchMedia("(max-width: 720px)").matches;

export const colorBy = signal<ColorBy>("rgb");
export const hasColor = signal(true);
export const gradient = signal<Gradient>("turbo");
export const heightRange = signal<[number, number]>([0, 1]);
export const heightLimits = signal<[number, number]>([0, 1]);
export const budget = signal(small ? 800_000 : 2_000_000);
export const pointSize = signal(1);
export const eyeDome = signal(true);
export const eyeDomeStrength = signal(0.2);
export const hiddenClasses = signal<ReadonlySet<number>>(new Set());
export const shading = signal<Shading>("lit");
export const detail = signal(1);
export const hasPoints = signal(false);

export const camerasShown = signal(false);
export const hasCameras = signal(false);
export const photo = signal<Camera | undefined>(undefined);

export const tool = signal<MeasureKind | undefined>(undefined);
export const measurements = signal<Measurement[]>([]);
export const units = signal<Units>(localStorage.getItem("slate360.units") === "feet" ? "feet" : "metric");
export const hover = signal<Vector3 | undefined>(undefined);
export const cursor = signal<Place | undefined>(undefined);

export const section = signal<Box3 | undefined>(undefined);
export const sectionLimits = signal<Box3 | undefined>(undefined);

export const panelOpen = signal(!small);
export const panelTab = signal<"view" | "measure" | "section" | "info">("view");
