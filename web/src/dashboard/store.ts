// What the dashboard knows, and how it learns: lists by requests, changes by
// events that the server sends.

import { batch, computed, signal } from "@preact/signals";
import { Problem, request } from "../common/api";
import type { Job, JobPage, JobProgress, QueueState, Session, System, WorkerInfo } from "../common/types";
import { final } from "../common/types";

export type StatusFilter = "all" | "active" | "queued" | "completed" | "failed";

export const session = signal<Session | undefined>(undefined);
/** What keeps the page from working; undefined is nothing. */
export const trouble = signal<Problem | undefined>(undefined);
export const connected = signal(false);

export const jobs = signal<ReadonlyMap<string, Job>>(new Map());
/** IDs of the jobs of the list, in its order. */
export const listed = signal<string[]>([]);
export const total = signal(0);
export const nextCursor = signal<string | undefined>(undefined);
export const listing = signal(false);
export const listProblem = signal<Problem | undefined>(undefined);

export const search = signal("");
export const statusFilter = signal<StatusFilter>("all");
export const kindFilter = signal("");

export const queue = signal<QueueState | undefined>(undefined);
export const system = signal<System | undefined>(undefined);
export const workers = signal<WorkerInfo[]>([]);
export const logs = signal<ReadonlyMap<string, string[]>>(new Map());

export const toasts = signal<{ id: number; text: string; bad: boolean }[]>([]);

/** Lines of a job's log that are kept. */
const logLines = 1000;

export const mayChange = computed(() => session.value?.role !== "viewer");
export const isAdmin = computed(() => !session.value?.required || session.value?.role === "admin");
export const filtered = computed(() => search.value !== "" || statusFilter.value !== "all" || kindFilter.value !== "");

let toastID = 0;

export function toast(text: string, bad = false): void {
	const id = ++toastID;
	toasts.value = [...toasts.value, { id, text, bad }];
	setTimeout(() => {
		toasts.value = toasts.value.filter((t) => t.id !== id);
	}, 6000);
}

/** Says what went wrong; a session that has ended leads to the login. */
export function report(error: unknown): void {
	if (error instanceof Problem && error.status === 401) {
		void loadSession();
		return;
	}
	if (error instanceof DOMException && error.name === "AbortError") return;
	toast(error instanceof Problem ? [error.message, error.hint].filter(Boolean).join(": ") : String(error), true);
}

export async function loadSession(): Promise<void> {
	try {
		session.value = await request<Session>("GET", "/api/session");
		trouble.value = undefined;
	} catch (error) {
		trouble.value = error instanceof Problem ? error : new Problem(0, "Something went wrong", String(error));
	}
}

export async function login(token: string): Promise<void> {
	session.value = await request<Session>("POST", "/api/session", { token });
}

export async function logout(): Promise<void> {
	stop();
	session.value = await request<Session>("DELETE", "/api/session");
}

export function put(list: Job[]): void {
	const next = new Map(jobs.value);
	for (const j of list) {
		const known = next.get(j.jobId);
		// A summary lacks what the whole job has.
		next.set(j.jobId, known ? { ...known, ...j, stages: j.stages.length ? j.stages : known.stages } : j);
	}
	jobs.value = next;
}

function query(cursor?: string): string {
	const q = new URLSearchParams({ limit: "30" });
	if (search.value) q.set("q", search.value);
	if (statusFilter.value === "failed") q.set("status", "failed,cancelled");
	else if (statusFilter.value !== "all") q.set("status", statusFilter.value);
	if (kindFilter.value) q.set("kind", kindFilter.value);
	if (cursor) q.set("cursor", cursor);
	return `/api/models/jobs?${q}`;
}

let listTurn = 0;

/** Loads the list anew, or its next page. */
export async function loadList(more = false): Promise<void> {
	const turn = ++listTurn;
	listing.value = true;
	try {
		const page = await request<JobPage>("GET", query(more ? nextCursor.value : undefined));
		if (turn !== listTurn) return;
		batch(() => {
			put(page.jobs);
			const ids = page.jobs.map((j) => j.jobId);
			listed.value = more ? [...listed.value, ...ids.filter((id) => !listed.value.includes(id))] : ids;
			nextCursor.value = page.nextCursor;
			total.value = page.total;
			listProblem.value = undefined;
		});
	} catch (error) {
		if (turn === listTurn)
			listProblem.value = error instanceof Problem ? error : new Problem(0, "Something went wrong", String(error));
		report(error);
	} finally {
		if (turn === listTurn) listing.value = false;
	}
}

export async function loadJob(id: string): Promise<void> {
	const job = await request<Job>("GET", `/api/models/jobs/${encodeURIComponent(id)}`);
	batch(() => {
		const next = new Map(jobs.value);
		next.set(id, job);
		jobs.value = next;
		if (job.log) setLog(id, job.log);
	});
}

function setLog(id: string, lines: string[]): void {
	const next = new Map(logs.value);
	next.set(id, lines.slice(-logLines));
	logs.value = next;
}

export async function loadLog(id: string): Promise<void> {
	const { lines } = await request<{ lines: string[] }>("GET", `/api/models/jobs/${encodeURIComponent(id)}/log?tail=${logLines}`);
	setLog(id, lines);
}

export async function loadQueue(): Promise<void> {
	queue.value = await request<QueueState>("GET", "/api/queue");
}

export async function loadSystem(): Promise<void> {
	const [s, w] = await Promise.all([
		request<System>("GET", "/api/system"),
		request<{ workers: WorkerInfo[] }>("GET", "/api/workers"),
	]);
	batch(() => {
		system.value = s;
		workers.value = w.workers;
	});
}

// Events.

let source: EventSource | undefined;
let queueTimer = 0;
let listTimer = 0;

/** Asks for the queue's counts when things have calmed down. */
function queueSoon(): void {
	if (queueTimer) return;
	queueTimer = window.setTimeout(() => {
		queueTimer = 0;
		loadQueue().catch(report);
	}, 800);
}

function listSoon(): void {
	clearTimeout(listTimer);
	listTimer = window.setTimeout(() => void loadList(), 600);
}

/** Begins to listen for changes. */
export function start(): void {
	if (source) return;
	source = new EventSource("/api/events");
	source.onopen = () => {
		connected.value = true;
	};
	source.onerror = () => {
		connected.value = false;
		// The browser comes back by itself, except where it was refused.
		if (source?.readyState === EventSource.CLOSED) {
			source = undefined;
			setTimeout(() => {
				if (session.value?.authenticated || !session.value?.required) start();
			}, 5000);
			void loadSession();
		}
	};
	source.addEventListener("job", (e) => onJob(JSON.parse((e as MessageEvent<string>).data) as Job));
	source.addEventListener("progress", (e) => onProgress(JSON.parse((e as MessageEvent<string>).data) as JobProgress));
	source.addEventListener("log", (e) => onLog(JSON.parse((e as MessageEvent<string>).data) as { jobId: string; line: string }));
	source.addEventListener("removed", (e) => onRemoved(JSON.parse((e as MessageEvent<string>).data) as { jobId?: string }));
	source.addEventListener("queue", queueSoon);
}

export function stop(): void {
	source?.close();
	source = undefined;
	connected.value = false;
}

function onJob(job: Job): void {
	const known = jobs.value.get(job.jobId);
	batch(() => {
		put([job]);
		if (!listed.value.includes(job.jobId)) {
			if (filtered.value) listSoon();
			else if (!known) place(job);
		}
	});
	if (known?.status !== job.status) queueSoon();
}

/** Takes a job into the list where its time puts it; one that is older than the list goes is left out. */
function place(job: Job): void {
	const queued = (id: string) => jobs.value.get(id)?.queuedAt ?? "";
	const at = listed.value.findIndex((id) => queued(id) <= (job.queuedAt ?? ""));
	if (at < 0 && nextCursor.value) return;
	listed.value = listed.value.toSpliced(at < 0 ? listed.value.length : at, 0, job.jobId);
	total.value++;
}

function onProgress(p: JobProgress): void {
	const job = jobs.value.get(p.jobId);
	if (!job || final(job.status)) return;
	const stages = merge(job.stages, p.stages ?? []);
	const next = new Map(jobs.value);
	next.set(p.jobId, {
		...job,
		progress: Math.max(job.progress, p.progress),
		status: (p.status as Job["status"] | undefined) ?? job.status,
		currentStep: p.currentStep ?? job.currentStep,
		rate: p.rate,
		remainingSeconds: p.remainingSeconds,
		stages,
	});
	jobs.value = next;
}

function merge(all: Job["stages"], changed: Job["stages"]): Job["stages"] {
	if (changed.length === 0) return all;
	const byName = new Map(changed.map((s) => [s.name, s]));
	return all.map((s) => byName.get(s.name) ?? s);
}

function onLog({ jobId, line }: { jobId: string; line: string }): void {
	const lines = logs.value.get(jobId);
	if (lines) setLog(jobId, [...lines, line]);
}

function onRemoved({ jobId }: { jobId?: string }): void {
	if (!jobId) return;
	batch(() => {
		const next = new Map(jobs.value);
		next.delete(jobId);
		jobs.value = next;
		if (listed.value.includes(jobId)) {
			listed.value = listed.value.filter((id) => id !== jobId);
			total.value--;
		}
	});
}

// What people do.

async function act(what: Promise<unknown>, done: string): Promise<boolean> {
	try {
		await what;
		toast(done);
		queueSoon();
		return true;
	} catch (error) {
		report(error);
		return false;
	}
}

const path = (id: string) => `/api/models/jobs/${encodeURIComponent(id)}`;

export const cancel = (job: Job) => act(request("DELETE", path(job.jobId)), `${job.name} is being cancelled`);
export const retry = (job: Job) => act(request("POST", `${path(job.jobId)}/retry`), `${job.name} is in the queue again`);

export async function remove(job: Job): Promise<boolean> {
	const ok = await act(request("DELETE", `${path(job.jobId)}?purge=true`), `${job.name} was deleted`);
	if (ok) onRemoved({ jobId: job.jobId });
	return ok;
}

export async function setPaused(paused: boolean): Promise<void> {
	try {
		queue.value = await request<QueueState>("POST", `/api/queue/${paused ? "pause" : "resume"}`);
	} catch (error) {
		report(error);
	}
}
