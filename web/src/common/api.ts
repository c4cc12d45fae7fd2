// Requests to the API: errors as RFC 9457 tells them, and the header that tells a
// page of ours from a form elsewhere (CSRF).

export class Problem extends Error {
	constructor(
		readonly status: number,
		readonly title: string,
		readonly detail: string,
		readonly field?: string,
		readonly hint?: string,
	) {
		super(detail || title);
	}
}

export async function problemOf(response: Response): Promise<Problem> {
	let body: { title?: string; detail?: string; field?: string; hint?: string } = {};
	try {
		body = await response.json();
	} catch {
		// Something between us and the server answered.
	}
	return new Problem(response.status, body.title ?? response.statusText, body.detail ?? "", body.field, body.hint);
}

/** Asks the API; resolves to what it answers, rejects with a Problem. */
export async function request<T>(
	method: "GET" | "POST" | "DELETE",
	path: string,
	body?: unknown,
	more: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<T> {
	const headers: Record<string, string> = { Accept: "application/json", ...more.headers };
	if (method !== "GET") headers["x-slate360-csrf"] = "1";
	if (body !== undefined) headers["Content-Type"] = "application/json";
	let response: Response;
	try {
		response = await fetch(path, {
			method,
			headers,
			credentials: "same-origin",
			body: body === undefined ? undefined : JSON.stringify(body),
			signal: more.signal,
		});
	} catch (error) {
		if (error instanceof DOMException && error.name === "AbortError") throw error;
		throw new Problem(0, "The server cannot be reached", "The server cannot be reached. Is the worker running?");
	}
	if (!response.ok) throw await problemOf(response);
	if (response.status === 204) return undefined as T;
	return (await response.json()) as T;
}
