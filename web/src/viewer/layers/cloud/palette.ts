// Colours of heights and of classes.

export type Gradient = "turbo" | "viridis" | "terrain" | "grey";

/** Stops at even distances, 0xrrggbb. Turbo is Mikhailov's (2019), Viridis that of matplotlib, sampled. */
export const gradients: Record<Gradient, number[]> = {
	turbo: [
		0x30123b, 0x4145ab, 0x4675ed, 0x39a2fc, 0x1bcfd4, 0x24eca6, 0x61fc6c, 0xa4fc3b, 0xd1e834, 0xf3c63a, 0xfe9b2d, 0xf36315,
		0xd93806, 0xb11901, 0x7a0402,
	],
	viridis: [0x440154, 0x482475, 0x414487, 0x355f8d, 0x2a788e, 0x21918c, 0x22a884, 0x44bf70, 0x7ad151, 0xbddf26, 0xfde725],
	terrain: [0x1f5a3d, 0x3f8f4f, 0x86b95d, 0xd9d58a, 0xc9a66b, 0x9a6f4a, 0x8a7a72, 0xf2f2f0],
	grey: [0x202124, 0xf4f4f4],
};

/** Name of a class of ASPRS LAS 1.4 R15. */
export function className(n: number): string {
	return (
		[
			"Never classified",
			"Unclassified",
			"Ground",
			"Low vegetation",
			"Medium vegetation",
			"High vegetation",
			"Building",
			"Low noise",
			"Reserved",
			"Water",
			"Rail",
			"Road surface",
			"Reserved",
			"Wire guard",
			"Wire conductor",
			"Transmission tower",
			"Wire connector",
			"Bridge deck",
			"High noise",
			"Overhead structure",
			"Ignored ground",
			"Snow",
			"Temporal exclusion",
		][n] ?? `Class ${n}`
	);
}

const classes: Record<number, string> = {
	0: "#9aa1ab",
	1: "#b4bac4",
	2: "#b8875a",
	3: "#a8d672",
	4: "#62b84f",
	5: "#2c8a3f",
	6: "#e2574c",
	7: "#ff3fb4",
	9: "#3f8ee8",
	10: "#7a5cc9",
	11: "#6a7079",
	13: "#f2c230",
	14: "#f5a524",
	15: "#c98a1b",
	16: "#dfa94a",
	17: "#8f97c9",
	18: "#c026d3",
};

/** Colour of a class, as CSS writes it; those without one of their own go around the wheel. */
export function classColor(n: number): string {
	const own = classes[n];
	if (own) return own;
	const hue = (n * 137.508) % 360;
	return `hsl(${hue.toFixed(0)}, 55%, 58%)`;
}
