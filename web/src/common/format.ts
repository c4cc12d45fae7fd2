// Numbers and times for people.

const counts = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function count(n: number): string {
	return counts.format(n);
}

export function compact(n: number): string {
	return short.format(n);
}

export function plural(n: number, one: string, many = `${one}s`): string {
	return `${count(n)} ${n === 1 ? one : many}`;
}

export function bytes(n: number): string {
	const units = ["B", "kB", "MB", "GB", "TB"];
	let i = 0;
	while (n >= 1000 && i < units.length - 1) {
		n /= 1000;
		i++;
	}
	return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

export function duration(seconds: number): string {
	if (!Number.isFinite(seconds)) return "–";
	if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
	if (seconds < 10) return `${seconds.toFixed(1)} s`;
	const s = Math.round(seconds);
	if (s < 60) return `${s} s`;
	if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60 ? `${s % 60} s` : ""}`.trim();
	if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
	return `${Math.floor(s / 86400)} d ${Math.round((s % 86400) / 3600)} h`;
}

/** How long ago, or the date where that is longer than a day. */
export function ago(time: string, now = Date.now()): string {
	const t = Date.parse(time);
	if (Number.isNaN(t)) return "";
	const s = Math.max(0, (now - t) / 1000);
	if (s < 5) return "just now";
	if (s < 60) return `${Math.floor(s)} s ago`;
	if (s < 3600) return `${Math.floor(s / 60)} min ago`;
	if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
	return new Date(t).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

export function dateTime(time: string | undefined): string {
	if (!time) return "–";
	const t = new Date(time);
	return Number.isNaN(t.getTime()) ? "–" : t.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

// What things cost, in the currency of the worker's price: no sign is known.
export function money(amount: number): string {
	return amount.toLocaleString(
		"en",
		amount < 0.1 ? { maximumSignificantDigits: 2 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 },
	);
}
