import type { components, operations } from "./openapi.gen.js";
import type { Options, Priority, SourceFormat } from "./payload.js";

type Schemas = components["schemas"];

export type Job = Schemas["Job"];
export type JobError = Schemas["Error"];
export type Stage = Schemas["Stage"];
export type JobPage = Omit<Schemas["ListOutBody"], "$schema">;
export type ListQuery = NonNullable<operations["listJobs"]["parameters"]["query"]>;

/** A refusal of the API (RFC 9457). */
export class ApiError extends Error {
	override name = "ApiError";
	constructor(
		readonly status: number,
		message: string,
		readonly field?: string,
		readonly hint?: string,
	) {
		super(message);
	}
}

export interface ApiOptions {
	/** Where `slate360-worker run` serves, such as http://worker:8360. */
	baseUrl: string;
	/** GPU_WORKER_SECRET_KEY, or the token of an organisation. */
	token?: string;
	/** Milliseconds until a request is given up; 30000. */
	timeout?: number;
	fetch?: typeof fetch;
}

export interface ApiSubmission {
	jobId?: string;
	sourceUrl?: string;
	sourceUrls?: string[];
	/** IDs of finished uploads. */
	uploads?: string[];
	sourceFormat?: SourceFormat;
	options?: Options;
	priority?: Priority;
}

/** Calls the HTTP API: for platforms that have no Redis between them and the worker. */
export class WorkerApi {
	readonly #o: ApiOptions;

	constructor(o: ApiOptions) {
		this.#o = o;
	}

	/** Submits a job. With the same key a second time it returns the job of the first. */
	submit(submission: ApiSubmission, idempotencyKey?: string): Promise<{ jobId: string; job: Job; warnings: string[] }> {
		return this.#request("POST", "/api/models/process", submission, idempotencyKey ? { "idempotency-key": idempotencyKey } : {});
	}

	job(id: string): Promise<Job> {
		return this.#request("GET", `/api/models/jobs/${encodeURIComponent(id)}`);
	}

	list(query: ListQuery = {}): Promise<JobPage> {
		const q = new URLSearchParams();
		for (const [name, value] of Object.entries(query)) if (value !== undefined) q.set(name, String(value));
		return this.#request("GET", `/api/models/jobs?${q}`);
	}

	async cancel(id: string): Promise<void> {
		await this.#request("DELETE", `/api/models/jobs/${encodeURIComponent(id)}`);
	}

	async retry(id: string): Promise<void> {
		await this.#request("POST", `/api/models/jobs/${encodeURIComponent(id)}/retry`);
	}

	/** Deletes a job that is at its end, with its outputs. */
	async remove(id: string): Promise<void> {
		await this.#request("DELETE", `/api/models/jobs/${encodeURIComponent(id)}?purge=true`);
	}

	/** Makes a read-only link to the result; its address is absolute. */
	async share(id: string, seconds: number): Promise<{ url: string; expiresAt: string }> {
		const made = await this.#request<{ url: string; expiresAt: string }>(
			"POST",
			`/api/models/jobs/${encodeURIComponent(id)}/share`,
			{
				expiresIn: seconds,
			},
		);
		return { ...made, url: new URL(made.url, this.#o.baseUrl).href };
	}

	async #request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
		const response = await (this.#o.fetch ?? fetch)(new URL(path, this.#o.baseUrl), {
			method,
			headers: {
				accept: "application/json",
				...(this.#o.token ? { authorization: `Bearer ${this.#o.token}` } : {}),
				...(body === undefined ? {} : { "content-type": "application/json" }),
				...headers,
			},
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
			signal: AbortSignal.timeout(this.#o.timeout ?? 30_000),
		});
		if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
		const problem = (await response.json().catch(() => ({}))) as {
			title?: string;
			detail?: string;
			field?: string;
			hint?: string;
		};
		throw new ApiError(response.status, problem.detail ?? problem.title ?? response.statusText, problem.field, problem.hint);
	}
}
