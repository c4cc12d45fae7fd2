// app/api/models/process/route.ts: takes a request of the platform's own pages,
// writes the record, and puts the job on the queue. In your app import from
// "@slate360/worker-client".
import { PayloadError, type Priority, Producer, parsePayload } from "../../../../../../src/index.js";

export const runtime = "nodejs"; // Redis needs sockets

// One connection for all requests of this server, also when the file is loaded anew.
const globals = globalThis as { slate360Producer?: Producer };

function producer(): Producer {
	const redisUrl = process.env.REDIS_URL;
	if (!redisUrl) throw new Error("REDIS_URL is not set");
	globals.slate360Producer ??= new Producer({ redisUrl });
	return globals.slate360Producer;
}

/** Who asks, by your own session; what they may do decides the priority. */
async function userOf(request: Request): Promise<{ id: string; org: string; pro: boolean } | undefined> {
	const token = request.headers.get("authorization")?.replace(/^Bearer /, "");
	if (!token || !process.env.SUPABASE_URL) return undefined;
	const response = await fetch(`${process.env.SUPABASE_URL}/auth/v1/user`, {
		headers: { apikey: process.env.SUPABASE_ANON_KEY ?? "", authorization: `Bearer ${token}` },
	});
	if (!response.ok) return undefined;
	const user = (await response.json()) as { id: string; app_metadata?: { org_id?: string; plan?: string } };
	return { id: user.id, org: user.app_metadata?.org_id ?? "", pro: user.app_metadata?.plan === "pro" };
}

/** The row that the worker keeps up to date; without Supabase the worker keeps its own. */
async function record(row: Record<string, unknown>): Promise<void> {
	if (!process.env.SUPABASE_URL || !process.env.SUPABASE_SERVICE_ROLE_KEY) return;
	const response = await fetch(`${process.env.SUPABASE_URL}/rest/v1/model_processing_jobs`, {
		method: "POST",
		headers: {
			apikey: process.env.SUPABASE_SERVICE_ROLE_KEY,
			authorization: `Bearer ${process.env.SUPABASE_SERVICE_ROLE_KEY}`,
			"content-type": "application/json",
			prefer: "resolution=ignore-duplicates",
		},
		body: JSON.stringify(row),
	});
	if (!response.ok) throw new Error(`the record could not be written: ${response.status} ${await response.text()}`);
}

export async function POST(request: Request): Promise<Response> {
	const user = await userOf(request);
	if (!user && process.env.SUPABASE_URL) return Response.json({ error: "sign in first" }, { status: 401 });
	try {
		const payload = parsePayload(await request.json().catch(() => undefined));
		const priority: Priority = payload.options.priority ?? (user?.pro ? "high" : "normal");
		await record({
			id: payload.jobId,
			user_id: user?.id,
			org_id: user?.org || undefined,
			source_url: payload.sourceUrl ?? payload.sourceUrls?.[0],
			source_format: payload.sourceFormat,
			options: payload.options,
			status: "queued",
		});
		const { jobId } = await producer().submit(payload as Parameters<Producer["submit"]>[0], { priority });
		return Response.json({ jobId }, { status: 202 });
	} catch (error) {
		if (error instanceof PayloadError) return Response.json({ error: error.message, field: error.field }, { status: 422 });
		throw error;
	}
}
