import { type JobsOptions, Queue } from "bullmq";
import { Redis } from "ioredis";
import { type Options, type Payload, type Priority, parsePayload, type SourceFormat } from "./payload.js";

/** BullMQ's numbers of priorities: 1 comes first. The gaps are for the producer's own (jobs of Pro users, say). */
export const priorityNumbers: Readonly<Record<Priority, number>> = { urgent: 1, high: 5, normal: 10, low: 20 };

/** The name that jobs have in the queue. */
export const jobName = "process-model";

export interface ProducerOptions {
	/** redis:// or rediss:// address; the same as the worker's REDIS_URL. */
	redisUrl: string;
	/** Name and prefix of the queue: SLATE360_QUEUE, SLATE360_QUEUE_PREFIX. */
	queue?: string;
	prefix?: string;
	/** How often a job is tried (3), and the wait after the first failure in milliseconds, which doubles (5000). */
	attempts?: number;
	backoff?: number;
}

/** What is submitted: a payload whose ID and options may be absent. */
export type Submission = { jobId?: string; sourceFormat?: SourceFormat; options?: Options } & (
	| { sourceUrl: string }
	| { sourceUrls: string[] }
);

export interface SubmitOptions {
	/** Comes before options.priority. A number is BullMQ's own. */
	priority?: Priority | number;
	/** Milliseconds to wait before the job may be taken. */
	delay?: number;
}

/** Puts jobs on the queue that workers take them from. Close it at the end. */
export class Producer {
	readonly queue: Queue<Payload>;
	#connection: Redis;
	#defaults: JobsOptions;

	constructor(o: ProducerOptions) {
		// A route should fail soon rather than wait for a Redis that is away.
		this.#connection = new Redis(o.redisUrl, { maxRetriesPerRequest: 3, enableOfflineQueue: true });
		this.#connection.on("error", () => {}); // each command says so itself
		this.queue = new Queue<Payload>(o.queue ?? "model-processing", {
			connection: this.#connection,
			prefix: o.prefix ?? "bull",
		});
		this.queue.on("error", () => {});
		this.#defaults = {
			attempts: o.attempts ?? 3,
			backoff: { type: "exponential", delay: o.backoff ?? 5000 },
		};
	}

	/**
	 * Checks a job and puts it on the queue. A job whose ID is there already is not
	 * added again: the same ID may be submitted twice.
	 *
	 * @throws PayloadError that names the field
	 */
	async submit(submission: Submission, o: SubmitOptions = {}): Promise<{ jobId: string; payload: Payload }> {
		const payload = parsePayload(submission);
		if (typeof o.priority === "string") payload.options = { ...payload.options, priority: o.priority };
		const priority = typeof o.priority === "number" ? o.priority : priorityNumbers[payload.options.priority ?? "normal"];
		await this.queue.add(jobName, payload, {
			...this.#defaults,
			jobId: payload.jobId,
			priority,
			...(o.delay === undefined ? {} : { delay: o.delay }),
		});
		return { jobId: payload.jobId, payload };
	}

	async close(): Promise<void> {
		await this.queue.close();
		this.#connection.disconnect();
	}
}
