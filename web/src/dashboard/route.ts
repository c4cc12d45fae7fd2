// Where in the dashboard the page is, by its address.

import { signal } from "@preact/signals";

export type Route = { page: "jobs" } | { page: "job"; id: string } | { page: "system" };

function read(): Route {
	const job = /^\/jobs\/([^/]+)$/.exec(location.pathname);
	if (job?.[1]) return { page: "job", id: decodeURIComponent(job[1]) };
	if (location.pathname === "/system") return { page: "system" };
	return { page: "jobs" };
}

export const route = signal<Route>(read());

addEventListener("popstate", () => {
	route.value = read();
});

export function href(to: Route): string {
	if (to.page === "job") return `/jobs/${encodeURIComponent(to.id)}`;
	return to.page === "system" ? "/system" : "/";
}

export function go(to: Route): void {
	history.pushState(null, "", href(to));
	route.value = to;
	scrollTo(0, 0);
}

/** Follows a link within the page, unless it is to open elsewhere. */
export function follow(e: MouseEvent, to: Route): void {
	if (e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
	e.preventDefault();
	go(to);
}
