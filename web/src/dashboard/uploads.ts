// Uploads: resumable (tus 1.0), a few files at once, then the job that takes them.

import { signal } from "@preact/signals";
import * as tus from "tus-js-client";
import { request } from "../common/api";
import type { Job, Priority, Submitted } from "../common/types";
import { listed, put, report, toast, total } from "./store";

export interface Picked {
	file: File;
	/** Path in the folder that was dropped. */
	path: string;
}

export interface Wishes {
	sourceFormat: string;
	priority: Priority;
	options: Record<string, unknown>;
}

export interface Transfer {
	id: number;
	name: string;
	files: number;
	bytes: number;
	sent: number;
	/** Bytes a second of late. */
	rate: number;
	state: "sending" | "failed";
	problem?: string;
}

export const transfers = signal<Transfer[]>([]);

const running = new Map<number, { uploads: Set<tus.Upload>; cancelled: boolean; again: () => void }>();
let next = 0;

/** Files that are sent side by side. */
const side = 3;

function update(id: number, change: Partial<Transfer>): void {
	transfers.value = transfers.value.map((t) => (t.id === id ? { ...t, ...change } : t));
}

function drop(id: number): void {
	running.delete(id);
	transfers.value = transfers.value.filter((t) => t.id !== id);
}

/** Sends files and submits the job of them. */
export function send(picked: Picked[], wishes: Wishes): void {
	const id = ++next;
	const bytes = picked.reduce((sum, p) => sum + p.file.size, 0);
	const first = picked[0];
	if (!first) return;
	const folder = first.path.includes("/") ? first.path.split("/")[0] : undefined;
	const name = picked.length === 1 ? first.file.name : (folder ?? `${picked.length} files`);
	transfers.value = [{ id, name, files: picked.length, bytes, sent: 0, rate: 0, state: "sending" }, ...transfers.value];
	void work(id, picked, wishes);
}

export function cancelTransfer(id: number): void {
	const r = running.get(id);
	if (r) {
		r.cancelled = true;
		for (const u of r.uploads) void u.abort(true).catch(() => {}); // what is left expires at the server
	}
	drop(id);
}

export function resumeTransfer(id: number): void {
	running.get(id)?.again();
}

async function work(id: number, picked: Picked[], wishes: Wishes): Promise<void> {
	const run = { uploads: new Set<tus.Upload>(), cancelled: false, again: () => {} };
	run.again = () => {
		update(id, { state: "sending", problem: undefined });
		void work(id, picked, wishes);
	};
	running.set(id, run);
	const meter = new Meter(id);
	const batch = crypto.randomUUID();
	const ids: string[] = new Array(picked.length);
	const waiting = picked.map((p, i) => ({ p, i }));
	const lane = async () => {
		for (let job = waiting.shift(); job && !run.cancelled; job = waiting.shift()) {
			ids[job.i] = await sendFile(job.p, batch, run.uploads, (sent) => meter.set(job?.i ?? 0, sent));
		}
	};
	try {
		await Promise.all(Array.from({ length: Math.min(side, picked.length) }, lane));
		if (run.cancelled) return;
		await submit({ ...wishes, uploads: ids });
		drop(id);
	} catch (error) {
		for (const u of run.uploads) void u.abort();
		if (!run.cancelled) update(id, { state: "failed", problem: error instanceof Error ? tidy(error) : String(error) });
	}
}

/** The errors of tus name the request at length; people want what the server said. */
function tidy(error: Error): string {
	if (error instanceof tus.DetailedError && error.originalResponse) {
		const body = error.originalResponse.getBody();
		try {
			const problem = JSON.parse(body) as { detail?: string; title?: string };
			return problem.detail ?? problem.title ?? body;
		} catch {
			return body || `the server answered ${error.originalResponse.getStatus()}`;
		}
	}
	if (error instanceof tus.DetailedError) return "The connection was lost. What was sent is kept.";
	return error.message;
}

function sendFile(p: Picked, batch: string, uploads: Set<tus.Upload>, onSent: (sent: number) => void): Promise<string> {
	return new Promise((resolve, reject) => {
		const upload = new tus.Upload(p.file, {
			endpoint: "/api/uploads",
			chunkSize: 64 * 2 ** 20,
			retryDelays: [0, 1000, 3000, 5000, 10000, 20000],
			removeFingerprintOnSuccess: true,
			headers: { "x-slate360-csrf": "1" },
			metadata: { filename: p.file.name, relativePath: p.path, filetype: p.file.type, batch },
			onProgress: onSent,
			onError: (error) => {
				uploads.delete(upload);
				reject(error);
			},
			onSuccess: () => {
				uploads.delete(upload);
				onSent(p.file.size);
				const id = upload.url?.split("/").pop();
				if (id) resolve(decodeURIComponent(id));
				else reject(new Error("the server gave the upload no address"));
			},
		});
		uploads.add(upload);
		upload
			.findPreviousUploads()
			.then((before) => {
				const last = before[0];
				if (last) upload.resumeFromPreviousUpload(last);
				upload.start();
			})
			.catch(reject);
	});
}

/** Sums up what was sent, and how fast. */
class Meter {
	#sent = new Map<number, number>();
	#marks: { at: number; sum: number }[] = [];
	#shown = 0;

	constructor(readonly id: number) {}

	set(index: number, sent: number): void {
		this.#sent.set(index, sent);
		const now = performance.now();
		if (now - this.#shown < 150) return;
		this.#shown = now;
		let sum = 0;
		for (const n of this.#sent.values()) sum += n;
		this.#marks.push({ at: now, sum });
		while (this.#marks.length > 2 && now - (this.#marks[0]?.at ?? now) > 5000) this.#marks.shift();
		const first = this.#marks[0];
		const seconds = first ? (now - first.at) / 1000 : 0;
		update(this.id, { sent: sum, rate: seconds > 0.3 && first ? (sum - first.sum) / seconds : 0 });
	}
}

/** Submits a job by uploads or addresses. */
export async function submit(body: Wishes & { uploads?: string[]; sourceUrl?: string; sourceUrls?: string[] }): Promise<Job> {
	const { job, warnings } = await request<Submitted>("POST", "/api/models/process", body);
	put([job]);
	if (!listed.value.includes(job.jobId)) {
		listed.value = [job.jobId, ...listed.value];
		total.value++;
	}
	for (const w of warnings) toast(w, true);
	return job;
}

export async function submitAddresses(urls: string[], wishes: Wishes): Promise<boolean> {
	try {
		await submit({ ...wishes, ...(urls.length === 1 ? { sourceUrl: urls[0] } : { sourceUrls: urls }) });
		return true;
	} catch (error) {
		report(error);
		return false;
	}
}

/** All files that were dropped, with their paths in the folders they came in. */
export async function filesOf(transfer: DataTransfer): Promise<Picked[]> {
	// Entries have to be taken before anything else is waited for.
	const entries = [...transfer.items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null));
	const files = [...transfer.files];
	if (entries.every((e) => e === null)) return files.map((file) => ({ file, path: file.name }));
	const lists = await Promise.all(entries.map((e) => (e ? walk(e) : [])));
	return lists.flat();
}

async function walk(entry: FileSystemEntry): Promise<Picked[]> {
	if (entry.name.startsWith(".")) return []; // .DS_Store and the like
	if (entry.isFile) {
		const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
		return [{ file, path: entry.fullPath.replace(/^\//, "") || file.name }];
	}
	const reader = (entry as FileSystemDirectoryEntry).createReader();
	const found: Picked[] = [];
	for (;;) {
		// A reader gives a hundred at a time.
		const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
		if (some.length === 0) return found;
		for (const e of some) found.push(...(await walk(e)));
	}
}
