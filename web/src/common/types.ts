// The shapes that the API answers with, of its OpenAPI document.

export interface Stage {
	name: string;
	title?: string;
	state: "pending" | "running" | "done" | "resumed" | "off";
	engine?: string;
	seconds?: number;
	peakBytes?: number;
	progress: number;
}

export type Status =
	| "queued"
	| "analyzing"
	| "processing"
	| "optimizing"
	| "generating_tiles"
	| "uploading"
	| "completed"
	| "failed"
	| "cancelled";

export type Priority = "low" | "normal" | "high" | "urgent";

export interface JobError {
	message: string;
	stage?: string;
	engine?: string;
	hint?: string;
	log?: string;
	attempt?: number;
	permanent: boolean;
}

export interface JobOutput {
	type: string;
	path: string;
	url: string;
	size: number;
	files?: number;
	contentType?: string;
	sha256?: string;
	points?: number;
	tiles?: number;
	triangles?: number;
	vertices?: number;
	width?: number;
	height?: number;
}

export interface Job {
	jobId: string;
	name: string;
	kind?: string;
	sourceFormat: string;
	sourceUrl?: string;
	sourceSize?: number;
	sourceFiles?: number;
	status: Status;
	progress: number;
	currentStep?: string;
	stages: Stage[];
	rate?: number;
	remainingSeconds?: number;
	priority: Priority;
	attemptsMade: number;
	maxAttempts?: number;
	workerId?: string;
	queuedAt?: string;
	startedAt?: string;
	completedAt?: string;
	error?: JobError;
	warnings: string[];
	outputs: JobOutput[];
	thumbnailUrl?: string;
	analysis?: unknown;
	options?: unknown;
	log?: string[];
	organisation?: string;
	creditsUsed?: number;
}

export interface JobProgress {
	jobId: string;
	status?: Status;
	progress: number;
	currentStep?: string;
	stages?: Stage[];
	rate?: number;
	remainingSeconds?: number;
}

export interface JobPage {
	jobs: Job[];
	nextCursor?: string;
	total: number;
}

export interface Session {
	authenticated: boolean;
	required: boolean;
	name?: string;
	role?: "viewer" | "member" | "admin";
	organisation?: string;
	version: string;
	features: Record<string, boolean>;
	maxUpload: number;
}

export interface QueueState {
	counts: Record<string, number>;
	paused: boolean;
	oldestSeconds: number;
}

export interface WorkerInfo {
	name: string;
	address?: string;
	since?: string;
	local: boolean;
	concurrency?: number;
	active: number;
	jobs: string[];
	taking: boolean;
}

export interface GPU {
	index: number;
	name: string;
	driver?: string;
	utilization: number;
	memoryTotal: number;
	memoryUsed: number;
	temperature?: number;
	powerWatts?: number;
}

export interface System {
	version: string;
	go: string;
	os: string;
	started: string;
	processors: number;
	load?: number;
	memory: { total: number; budget: number; resident: number; peak: number };
	disk: { name: string; free: number }[];
	gpus: GPU[];
	engines: { name: string; found: boolean; version?: string; adds?: string }[];
	services: { name: string; kind: string }[];
	runningJobs: number;
	eventClients: number;
}

/** Tells whether a job in this status is at its end. */
export function final(status: Status): boolean {
	return status === "completed" || status === "failed" || status === "cancelled";
}
