// One job: how it goes, what it made, what went wrong.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Problem, request } from "../common/api";
import { ago, bytes, count, dateTime, duration, money, plural } from "../common/format";
import { Icon } from "../common/icons";
import { outputTitle } from "../common/result";
import { final, type Job, type JobOutput, type ShareLink, type Stage } from "../common/types";
import { Dialog, Spinner } from "../common/ui";
import { Card } from "./card";
import { now } from "./clock";
import { Thumb } from "./jobs";
import { follow, go, href } from "./route";
import { Bar, failureText, kindName, PriorityMark, ranFor, rateText, remainingText, StatusBadge, stepName } from "./status";
import * as store from "./store";

export function JobPage({ id }: { id: string }) {
	const [problem, setProblem] = useState<Problem>();
	const job = store.jobs.value.get(id);
	const status = job?.status;
	// What only the whole job has is asked for again when it reaches an end.
	useEffect(() => {
		store.loadJob(id).catch((error) => {
			if (error instanceof Problem && error.status !== 401) setProblem(error);
			else store.report(error);
		});
	}, [id, status && final(status)]);
	useEffect(() => {
		store.loadLog(id).catch(() => {}); // the job's own request tells what is wrong
	}, [id]);
	return (
		<div class="page">
			<a class="crumb" href={href({ page: "jobs" })} onClick={(e) => follow(e, { page: "jobs" })}>
				<Icon name="back" size={16} /> Jobs
			</a>
			{job ? <Detail job={job} /> : problem ? <Missing problem={problem} /> : <Spinner label="Loading the job" />}
		</div>
	);
}

function Missing({ problem }: { problem: Problem }) {
	return (
		<div class="empty" role="alert">
			<Icon name="warning" size={26} />
			<b>{problem.status === 404 ? "There is no such job" : problem.title}</b>
			<p class="muted">{problem.detail}</p>
		</div>
	);
}

function Detail({ job }: { job: Job }) {
	const running = !final(job.status);
	return (
		<>
			<Head job={job} />
			{running && <Progress job={job} />}
			{job.error && (job.status === "failed" || running) && <Failure job={job} />}
			{job.warnings.length > 0 && <Warnings list={job.warnings} />}
			<div class="columns">
				<div class="column">
					{job.outputs.length > 0 && <Outputs job={job} />}
					<Log job={job} />
				</div>
				<div class="column side">
					<Stages job={job} />
					<Facts job={job} />
				</div>
			</div>
		</>
	);
}

function Head({ job }: { job: Job }) {
	const [deleting, setDeleting] = useState(false);
	const change = store.mayChange.value;
	return (
		<header class="job-head">
			<Thumb job={job} />
			<div class="job-title">
				<h1>{job.name}</h1>
				<p class="muted">
					<StatusBadge status={job.status} />
					{kindName(job.kind)}
					<PriorityMark priority={job.priority} />
				</p>
			</div>
			<div class="job-buttons">
				{job.status === "completed" && (
					<a class="button primary" href={`/view/${encodeURIComponent(job.jobId)}`}>
						<Icon name="eye" /> Open the viewer
					</a>
				)}
				{change && job.status === "completed" && <ShareButton job={job} />}
				{change && (job.status === "failed" || job.status === "cancelled") && (
					<button type="button" class="button primary" onClick={() => store.retry(job)}>
						<Icon name="retry" /> Retry
					</button>
				)}
				{change && !final(job.status) && (
					<button type="button" class="button" onClick={() => store.cancel(job)}>
						<Icon name="close" /> Cancel
					</button>
				)}
				{change && final(job.status) && (
					<button type="button" class="button danger" onClick={() => setDeleting(true)}>
						<Icon name="trash" /> Delete
					</button>
				)}
			</div>
			{deleting && (
				<Dialog title={`Delete ${job.name}?`} onClose={() => setDeleting(false)}>
					<p>The job, its record and all its outputs are deleted. This cannot be undone.</p>
					<footer>
						<button type="button" class="button" onClick={() => setDeleting(false)}>
							Keep it
						</button>
						<button
							type="button"
							class="button danger"
							onClick={() => {
								void store.remove(job).then((ok) => {
									if (ok) go({ page: "jobs" });
									else setDeleting(false);
								});
							}}
						>
							<Icon name="trash" /> Delete
						</button>
					</footer>
				</Dialog>
			)}
		</header>
	);
}

function ShareButton({ job }: { job: Job }) {
	const [link, setLink] = useState<ShareLink>();
	const make = async () => {
		try {
			const made = await request<ShareLink>("POST", `/api/models/jobs/${encodeURIComponent(job.jobId)}/share`, {
				expiresIn: 604_800,
			});
			setLink({ ...made, url: new URL(made.url, location.href).href });
		} catch (error) {
			store.report(error);
		}
	};
	return (
		<>
			<button type="button" class="button" onClick={() => void make()}>
				<Icon name="share" /> Share
			</button>
			{link && (
				<Dialog title="Share the result" onClose={() => setLink(undefined)}>
					<p class="muted">Anyone with this link can look at the result and download it until {dateTime(link.expiresAt)}.</p>
					<div class="row">
						<input class="input" readOnly value={link.url} aria-label="Link" onFocus={(e) => e.currentTarget.select()} />
						<button
							type="button"
							class="button primary"
							onClick={() => {
								void navigator.clipboard?.writeText(link.url).then(() => store.toast("The link was copied"));
							}}
						>
							<Icon name="copy" /> Copy
						</button>
					</div>
				</Dialog>
			)}
		</>
	);
}

function Progress({ job }: { job: Job }) {
	const took = ranFor(job, now.value);
	return (
		<section class="card progress-card" aria-label="Progress">
			<div class="progress-line">
				<b>{job.status === "queued" ? "Waiting for a worker" : stepName(job) || "Starting"}</b>
				<span class="number">{Math.floor(job.progress)} %</span>
			</div>
			<Bar value={job.progress} label="Progress" />
			<p class="muted number">
				{[
					took !== undefined ? `${duration(took)} so far` : "",
					remainingText(job),
					rateText(job),
					job.attemptsMade ? `attempt ${job.attemptsMade + 1}${job.maxAttempts ? ` of ${job.maxAttempts}` : ""}` : "",
				]
					.filter(Boolean)
					.join(" · ") || (job.queuedAt ? `queued ${ago(job.queuedAt, now.value)}` : "")}
			</p>
		</section>
	);
}

function Failure({ job }: { job: Job }) {
	const e = job.error;
	if (!e) return null;
	const stage = job.stages.find((s) => s.name === e.stage);
	const message = failureText(job);
	return (
		<section class={`card failure ${job.status === "failed" ? "" : "soft"}`} aria-label="What went wrong">
			<Icon name={job.status === "failed" ? "failed" : "warning"} size={20} />
			<div>
				<h2>{job.status === "failed" ? message : `The last attempt failed: ${message}`}</h2>
				{e.hint && (
					<p>
						<b>What to do: </b>
						{e.hint}
					</p>
				)}
				<p class="muted">
					{[
						e.stage ? `in “${stage?.title ?? e.stage}”` : "",
						e.engine ? `engine ${e.engine}` : "",
						e.permanent ? "trying again as it is will not help" : "",
					]
						.filter(Boolean)
						.join(" · ")}
				</p>
				{e.log && (
					<details>
						<summary>Log of the engine</summary>
						<pre>{e.log}</pre>
					</details>
				)}
			</div>
		</section>
	);
}

function Warnings({ list }: { list: string[] }) {
	return (
		<section class="card warnings" aria-label="Warnings">
			<Icon name="warning" size={18} />
			<ul>
				{list.map((w) => (
					<li key={w}>{w}</li>
				))}
			</ul>
		</section>
	);
}

const marks: Record<Stage["state"], { icon: "check" | "clock" | "history" | "activity"; text: string }> = {
	pending: { icon: "clock", text: "waiting" },
	running: { icon: "activity", text: "running" },
	done: { icon: "check", text: "done" },
	resumed: { icon: "history", text: "kept from an earlier run" },
	off: { icon: "clock", text: "not asked for" },
};

function Stages({ job }: { job: Job }) {
	const stages = job.stages.filter((s) => s.state !== "off");
	if (stages.length === 0) return null;
	return (
		<Card
			title="Stages"
			more={
				<small class="muted">
					{stages.filter((s) => s.state === "done" || s.state === "resumed").length} of {stages.length}
				</small>
			}
		>
			<ol class="stages">
				{stages.map((s) => (
					<li key={s.name} class={s.state}>
						<i title={marks[s.state].text}>
							<Icon name={marks[s.state].icon} size={13} />
						</i>
						<span>
							{s.title ?? s.name}
							{s.engine && s.engine !== "native" && <small>{s.engine}</small>}
							<span class="visually-hidden">, {marks[s.state].text}</span>
						</span>
						<small class="number">
							{s.state === "running" ? `${Math.floor(s.progress)} %` : s.seconds ? duration(s.seconds) : ""}
							{s.peakBytes ? <em>{bytes(s.peakBytes)}</em> : null}
						</small>
						{s.state === "running" && <Bar value={s.progress} label={s.title ?? s.name} />}
					</li>
				))}
			</ol>
		</Card>
	);
}

function Outputs({ job }: { job: Job }) {
	return (
		<Card title="Outputs" more={<small class="muted">{bytes(job.outputs.reduce((sum, o) => sum + o.size, 0))}</small>}>
			<ul class="outputs">
				{job.outputs.map((o) => (
					<li key={o.path}>
						<a href={o.url} download={o.files ? undefined : ""}>
							<span>
								{outputTitle(o.type)}
								<small class="muted">{o.path}</small>
							</span>
							<small class="muted number">{holds(o)}</small>
							<small class="number">{bytes(o.size)}</small>
							<Icon name="download" size={16} />
						</a>
					</li>
				))}
			</ul>
		</Card>
	);
}

function holds(o: JobOutput): string {
	if (o.tiles) return plural(o.tiles, "tile");
	if (o.points) return plural(o.points, "point");
	if (o.triangles) return plural(o.triangles, "triangle");
	if (o.width) return `${o.width} × ${o.height}`;
	return "";
}

function Log({ job }: { job: Job }) {
	const lines = store.logs.value.get(job.jobId) ?? job.log ?? [];
	const box = useRef<HTMLPreElement>(null);
	const follows = useRef(true);
	useLayoutEffect(() => {
		if (box.current && follows.current) box.current.scrollTop = box.current.scrollHeight;
	}, [lines.length]);
	if (lines.length === 0 && final(job.status)) return null;
	return (
		<Card title="Log">
			<pre
				ref={box}
				class="log"
				// biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
				tabIndex={0}
				onScroll={(e) => {
					const b = e.currentTarget;
					follows.current = b.scrollHeight - b.scrollTop - b.clientHeight < 24;
				}}
			>
				{lines.length > 0 ? lines.map(shortTime).join("\n") : "Nothing yet."}
			</pre>
		</Card>
	);
}

/** The date of a line is that of the job; the time is enough. */
function shortTime(line: string): string {
	const m = /^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)\s+(.*)$/.exec(line);
	return m ? `${m[1]}  ${m[2]}` : line;
}

function Facts({ job }: { job: Job }) {
	const took = ranFor(job, now.value);
	const rows: [string, string | undefined][] = [
		[
			"Source",
			job.sourceUrl ?? (job.sourceFiles && job.sourceFiles > 1 ? `${count(job.sourceFiles)} uploaded files` : "uploaded"),
		],
		["Format", job.sourceFormat.toUpperCase()],
		["Size", job.sourceSize ? bytes(job.sourceSize) : undefined],
		["Queued", dateTime(job.queuedAt)],
		["Started", job.startedAt ? dateTime(job.startedAt) : undefined],
		["Ended", job.completedAt ? dateTime(job.completedAt) : undefined],
		["Took", took !== undefined && job.completedAt ? duration(took) : undefined],
		["Worker", job.workerId],
		["Organisation", job.organisation],
		["Cost", job.cost ? money(job.cost) : undefined],
		["Credits", job.creditsUsed ? `${job.creditsUsed.toLocaleString("en", { maximumFractionDigits: 3 })}` : undefined],
		["ID", job.jobId],
	];
	return (
		<Card title="Details">
			<dl class="facts">
				{rows.map(([name, value]) =>
					value ? (
						<div key={name}>
							<dt>{name}</dt>
							<dd>{value}</dd>
						</div>
					) : null,
				)}
			</dl>
			{job.options !== undefined && Object.keys(job.options ?? {}).length > 0 && (
				<details class="raw">
					<summary>Options</summary>
					<pre>{JSON.stringify(job.options, null, 2)}</pre>
				</details>
			)}
		</Card>
	);
}
