// Light, dark, or as the system says.

import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const stored = localStorage.getItem("slate360.theme");
export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "system");

theme.subscribe((value) => {
	if (value === "system") {
		delete document.documentElement.dataset.theme;
		localStorage.removeItem("slate360.theme");
	} else {
		document.documentElement.dataset.theme = value;
		localStorage.setItem("slate360.theme", value);
	}
});

export function nextTheme(): void {
	const order: Theme[] = ["system", "light", "dark"];
	theme.value = order[(order.indexOf(theme.value) + 1) % order.length] ?? "system";
}
