// What keys do in the viewer.

import * as state from "../state";
import type { Viewer } from "../viewer";

const turn = Math.PI / 24;

/** Keys and what they do, for the help in the panel. */
export const help: [string, string][] = [
	["Arrow keys", "turn"],
	["Shift + arrows", "shift"],
	["+  −", "zoom"],
	["F", "show all"],
	["1 to 6", "home, top, front, back, left, right"],
	["D  H  A  P", "measure distance, height, area, point"],
	["Space", "measure at the middle of the picture"],
	["Enter  Esc", "finish, cancel measuring"],
	["X", "section box"],
];

export function handleKey(e: KeyboardEvent, viewer: Viewer): void {
	if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
	const target = e.target as HTMLElement;
	const onPicture = target === viewer.canvas || target === document.body;
	if (!onPicture && /^(INPUT|SELECT|TEXTAREA|BUTTON|A|DIALOG)$/.test(target.tagName)) {
		if (e.key !== "Escape" || document.querySelector("dialog[open]")) return;
	}
	if (act(e, viewer)) e.preventDefault();
}

function act(e: KeyboardEvent, viewer: Viewer): boolean {
	const { stage } = viewer;
	const presets = ["home", "top", "front", "back", "left", "right"] as const;
	const preset = presets[Number(e.key) - 1];
	if (preset) {
		stage.fit(preset);
		return true;
	}
	switch (e.key) {
		case "ArrowLeft":
			stage.nudge(e.shiftKey ? [0, 0] : [-turn, 0], e.shiftKey ? [-0.06, 0] : [0, 0], 1);
			return true;
		case "ArrowRight":
			stage.nudge(e.shiftKey ? [0, 0] : [turn, 0], e.shiftKey ? [0.06, 0] : [0, 0], 1);
			return true;
		case "ArrowUp":
			stage.nudge(e.shiftKey ? [0, 0] : [0, -turn], e.shiftKey ? [0, 0.06] : [0, 0], 1);
			return true;
		case "ArrowDown":
			stage.nudge(e.shiftKey ? [0, 0] : [0, turn], e.shiftKey ? [0, -0.06] : [0, 0], 1);
			return true;
		case "+":
		case "=":
			stage.nudge([0, 0], [0, 0], 0.85);
			return true;
		case "-":
		case "_":
			stage.nudge([0, 0], [0, 0], 1 / 0.85);
			return true;
		case "f":
			stage.fit();
			return true;
		case " ":
			if (!state.tool.value) return false;
			viewer.pointAtCenter();
			return true;
		case "Enter":
			viewer.finish();
			return true;
		case "Escape":
			viewer.cancel();
			return true;
		case "x":
			viewer.toggleSection();
			return true;
	}
	const tools = { d: "distance", h: "height", a: "area", p: "point" } as const;
	const tool = tools[e.key as keyof typeof tools];
	if (!tool) return false;
	state.tool.value = state.tool.value === tool ? undefined : tool;
	return true;
}
