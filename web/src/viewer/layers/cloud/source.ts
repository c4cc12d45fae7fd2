// A cloud behind workers: which nodes there are, and their points when asked for.

import type { Answer, CloudInfo, HierarchyPage, NodeAddress, NodeData, Request } from "../../workers/protocol";

type WithoutID<T> = T extends { id: number } ? Omit<T, "id"> : never;

/** One worker and what it owes. */
class Hand {
	readonly worker = new Worker(new URL("../../workers/points.worker.ts", import.meta.url), { type: "module" });
	#pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
	#next = 0;

	constructor() {
		this.worker.onmessage = ({ data }: MessageEvent<Answer>) => {
			const p = this.#pending.get(data.id);
			this.#pending.delete(data.id);
			if (data.ok) p?.resolve(data.value);
			else p?.reject(new Error(data.message));
		};
		this.worker.onerror = (event) => {
			const error = new Error(event.message || "the decoder could not be started");
			for (const p of this.#pending.values()) p.reject(error);
			this.#pending.clear();
		};
	}

	get load(): number {
		return this.#pending.size;
	}

	ask<T>(request: WithoutID<Request>): Promise<T> {
		const id = this.#next++;
		return new Promise<T>((resolve, reject) => {
			this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
			this.worker.postMessage({ ...request, id });
		});
	}
}

/** Workers that decode side by side; one processor is left to the page. */
const handCount = Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1));

export class CloudSource {
	#hands: Hand[] = [];

	constructor(
		readonly format: "copc" | "ept",
		readonly url: string,
	) {}

	async open(): Promise<CloudInfo> {
		const first = new Hand();
		this.#hands.push(first);
		const info = await first.ask<CloudInfo>({ what: "open", format: this.format, url: this.url });
		while (this.#hands.length < handCount) {
			const hand = new Hand();
			this.#hands.push(hand);
			// A hand that fails to open says so when it is asked for a node.
			hand.ask({ what: "open", format: this.format, url: this.url }).catch(() => {});
		}
		return info;
	}

	page(key: string, page: { offset: number; length: number } | null): Promise<HierarchyPage> {
		return this.#idlest().ask({ what: "page", key, page });
	}

	node(key: string, address: NodeAddress, corner: [number, number, number], colorShift?: number): Promise<NodeData> {
		return this.#idlest().ask({ what: "node", key, address, corner, colorShift });
	}

	/** How many nodes may be asked for before the workers have enough to do. */
	get room(): number {
		return this.#hands.reduce((room, hand) => room + Math.max(0, 2 - hand.load), 0);
	}

	close(): void {
		for (const hand of this.#hands) hand.worker.terminate();
		this.#hands = [];
	}

	#idlest(): Hand {
		const hand = this.#hands.reduce((a, b) => (b.load < a.load ? b : a));
		return hand;
	}
}
