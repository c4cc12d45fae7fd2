// The list of jobs, what is being sent, and where new ones come from.

import { useEffect, useRef, useState } from "preact/hooks";
import { ago, bytes, count, duration, money, plural } from "../common/format";
import { Icon } from "../common/icons";
import { final, type Job } from "../common/types";
import { IconButton, Segmented, Spinner } from "../common/ui";
import { now } from "./clock";
import { NewJob } from "./newjob";
import { follow, href } from "./route";
import { Bar, failureText, kindIcon, kindName, PriorityMark, ranFor, StatusBadge, stepText } from "./status";
import * as store from "./store";
import { cancelTransfer, type Picked, resumeTransfer, type Transfer, transfers } from "./uploads";

export function JobsPage({ onNew }: { onNew: (picked: Picked[]) => void }) {
	return (
		<div class="page">
			<h1 class="visually-hidden">Jobs</h1>
			{store.mayChange.value && <Intake onNew={onNew} />}
			<Figures />
			{transfers.value.length > 0 && <Transfers />}
			<Filters />
			<List />
		</div>
	);
}

function Intake({ onNew }: { onNew: (picked: Picked[]) => void }) {
	const files = useRef<HTMLInputElement>(null);
	const folder = useRef<HTMLInputElement>(null);
	const [byAddress, setByAddress] = useState(false);
	const take = (input: HTMLInputElement) => {
		const picked = [...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
		input.value = "";
		if (picked.length > 0) onNew(picked);
	};
	return (
		<section class="intake" aria-label="New job">
			<span class="intake-icon">
				<Icon name="upload" size={22} />
			</span>
			<div>
				<h2>Drop a scan, a model or a folder of photos</h2>
				<p class="muted">LAS, LAZ, COPC, GLB, OBJ, PLY, STL, FBX, DAE, JPEG, or an archive of them</p>
			</div>
			<div class="intake-actions">
				<button type="button" class="button primary" onClick={() => files.current?.click()}>
					Choose files
				</button>
				<button type="button" class="button" onClick={() => folder.current?.click()}>
					Folder
				</button>
				<button type="button" class="button" onClick={() => setByAddress(true)}>
					From a link
				</button>
			</div>
			<input ref={files} type="file" multiple hidden aria-label="Files" onChange={(e) => take(e.currentTarget)} />
			<input
				ref={folder}
				type="file"
				multiple
				hidden
				aria-label="Folder"
				{...{ webkitdirectory: true }}
				onChange={(e) => take(e.currentTarget)}
			/>
			{byAddress && <NewJob onClose={() => setByAddress(false)} />}
		</section>
	);
}

function Figures() {
	const q = store.queue.value;
	const counts = q?.counts ?? {};
	const waiting = (counts.waiting ?? 0) + (counts.prioritized ?? 0) + (counts.delayed ?? 0);
	const cost = [...store.jobs.value.values()].reduce((sum, j) => sum + (j.cost ?? 0), 0);
	const figure = (label: string, value: string, note?: string, tone = "") => (
		<div class={`figure ${tone}`}>
			<dt>{label}</dt>
			<dd>
				<span class="number">{value}</span>
				{note && <small>{note}</small>}
			</dd>
		</div>
	);
	return (
		<dl class="figures" aria-label="Queue">
			{figure("Running", count(counts.active ?? 0))}
			{figure(
				"Waiting",
				count(waiting),
				q?.paused ? "queue paused" : waiting && q?.oldestSeconds ? `oldest ${duration(q.oldestSeconds)}` : "",
				q?.paused ? "warn" : "",
			)}
			{figure("Failed", count(counts.failed ?? 0), "", counts.failed ? "bad" : "")}
			{cost > 0
				? figure("Cost of these jobs", money(cost), "of their time on machines")
				: figure("All jobs", count(store.total.value))}
		</dl>
	);
}

function Transfers() {
	return (
		<section class="card transfers" aria-label="Uploads">
			{transfers.value.map((t) => (
				<TransferRow key={t.id} t={t} />
			))}
		</section>
	);
}

function TransferRow({ t }: { t: Transfer }) {
	const part = t.bytes > 0 ? (100 * t.sent) / t.bytes : 100;
	const left = t.rate > 0 ? (t.bytes - t.sent) / t.rate : 0;
	return (
		<div class="transfer">
			<Icon name="upload" />
			<div class="transfer-name">
				<b>{t.name}</b>
				{t.state === "failed" ? (
					<span class="problem">{t.problem}</span>
				) : (
					<small class="muted number">
						{[
							`${bytes(t.sent)} of ${bytes(t.bytes)}`,
							t.files > 1 ? plural(t.files, "file") : "",
							t.rate ? `${bytes(t.rate)}/s` : "",
							left > 1 ? `about ${duration(left)} left` : "",
						]
							.filter(Boolean)
							.join(" · ")}
					</small>
				)}
				<Bar value={part} label={`Upload of ${t.name}`} tone={t.state === "failed" ? "bad" : ""} />
			</div>
			{t.state === "failed" && <IconButton icon="retry" label={`Go on sending ${t.name}`} onClick={() => resumeTransfer(t.id)} />}
			<IconButton icon="close" label={`Stop sending ${t.name}`} onClick={() => cancelTransfer(t.id)} />
		</div>
	);
}

function Filters() {
	const [text, setText] = useState(store.search.value);
	const first = useRef(true);
	useEffect(() => {
		if (first.current) {
			first.current = false;
			return;
		}
		const timer = setTimeout(() => {
			store.search.value = text.trim();
			void store.loadList();
		}, 250);
		return () => clearTimeout(timer);
	}, [text]);
	return (
		<search class="filters">
			<div class="search">
				<Icon name="search" size={16} />
				<input
					class="input"
					type="search"
					placeholder="Search by name or ID"
					aria-label="Search jobs"
					value={text}
					onInput={(e) => setText(e.currentTarget.value)}
				/>
			</div>
			<Segmented
				label="Status"
				value={store.statusFilter.value}
				options={[
					{ value: "all", label: "All" },
					{ value: "active", label: "Running" },
					{ value: "queued", label: "Waiting" },
					{ value: "completed", label: "Done" },
					{ value: "failed", label: "Failed" },
				]}
				onChange={(v) => {
					store.statusFilter.value = v;
					void store.loadList();
				}}
			/>
			<select
				class="input kind"
				aria-label="Kind"
				value={store.kindFilter.value}
				onChange={(e) => {
					store.kindFilter.value = e.currentTarget.value;
					void store.loadList();
				}}
			>
				<option value="">All kinds</option>
				<option value="pointcloud">Point clouds</option>
				<option value="mesh">Meshes</option>
				<option value="photogrammetry">Photos</option>
			</select>
		</search>
	);
}

function List() {
	const list = store.listed.value.map((id) => store.jobs.value.get(id)).filter((j): j is Job => j !== undefined);
	if (store.listProblem.value && list.length === 0) {
		return (
			<div class="empty" role="alert">
				<Icon name="warning" size={26} />
				<b>The jobs cannot be listed</b>
				<p class="muted">{store.listProblem.value.message}</p>
				<button type="button" class="button" onClick={() => void store.loadList()}>
					<Icon name="retry" /> Try again
				</button>
			</div>
		);
	}
	if (list.length === 0) return store.listing.value ? <Skeleton /> : <Empty />;
	return (
		<>
			<ul class="card jobs" aria-label="Jobs" aria-busy={store.listing.value}>
				{list.map((j) => (
					<Row key={j.jobId} job={j} />
				))}
			</ul>
			<div class="more">
				<span class="muted number">
					{count(list.length)} of {plural(Math.max(store.total.value, list.length), "job")}
				</span>
				{store.nextCursor.value && (
					<button type="button" class="button" disabled={store.listing.value} onClick={() => void store.loadList(true)}>
						{store.listing.value ? <Spinner label="Loading" /> : "Show more"}
					</button>
				)}
			</div>
		</>
	);
}

function Skeleton() {
	return (
		<div class="card jobs skeleton" aria-hidden="true">
			{[0, 1, 2, 3].map((i) => (
				<div key={i} class="job">
					<i class="thumb" />
					<i class="line" />
				</div>
			))}
		</div>
	);
}

function Empty() {
	return (
		<div class="empty">
			<Icon name={store.filtered.value ? "search" : "layers"} size={26} />
			<b>{store.filtered.value ? "No job matches" : "No jobs yet"}</b>
			<p class="muted">
				{store.filtered.value ? "Search for something else, or show all jobs." : "Drop a file anywhere on this page to begin."}
			</p>
		</div>
	);
}

function Row({ job }: { job: Job }) {
	const to = { page: "job", id: job.jobId } as const;
	const running = !final(job.status) && job.status !== "queued";
	const took = ranFor(job, now.value);
	return (
		<li class="job">
			<Thumb job={job} />
			<div class="job-name">
				<a href={href(to)} onClick={(e) => follow(e, to)} title={job.name}>
					{job.name}
				</a>
				<small class="muted">
					{[
						kindName(job.kind) || job.sourceFormat.toUpperCase(),
						job.sourceSize ? bytes(job.sourceSize) : "",
						(job.sourceFiles ?? 0) > 1 ? plural(job.sourceFiles ?? 0, "file") : "",
					]
						.filter(Boolean)
						.join(" · ")}
					<PriorityMark priority={job.priority} />
				</small>
			</div>
			<div class="job-state">
				{running ? (
					<>
						<span class="job-step">
							<span title={stepText(job)}>{stepText(job) || "Starting"}</span>
							<b class="number">{Math.floor(job.progress)} %</b>
						</span>
						<Bar value={job.progress} label={`Progress of ${job.name}`} />
					</>
				) : (
					<span class="job-end">
						<StatusBadge status={job.status} />
						{job.status === "failed" && job.error && (
							<small class="muted" title={failureText(job)}>
								{failureText(job)}
							</small>
						)}
						{job.status === "completed" && took !== undefined && <small class="muted">in {duration(took)}</small>}
					</span>
				)}
			</div>
			<time class="job-time muted" dateTime={job.queuedAt}>
				{job.queuedAt ? ago(job.queuedAt, now.value) : ""}
			</time>
			<div class="job-actions">
				<Actions job={job} />
			</div>
		</li>
	);
}

export function Thumb({ job }: { job: Job }) {
	if (job.thumbnailUrl) return <img class="thumb" src={job.thumbnailUrl} alt="" loading="lazy" decoding="async" />;
	return (
		<span class="thumb" aria-hidden="true">
			<Icon name={kindIcon(job.kind)} size={20} />
		</span>
	);
}

/** The one or two things that are most likely wanted of a job. */
function Actions({ job }: { job: Job }) {
	const change = store.mayChange.value;
	if (job.status === "completed") {
		return (
			<a class="button small" href={`/view/${encodeURIComponent(job.jobId)}`} aria-label={`View ${job.name}`}>
				<Icon name="eye" size={15} /> View
			</a>
		);
	}
	if (!change) return null;
	if (job.status === "failed" || job.status === "cancelled") {
		return (
			<button type="button" class="button small" aria-label={`Retry ${job.name}`} onClick={() => store.retry(job)}>
				<Icon name="retry" size={15} /> Retry
			</button>
		);
	}
	return (
		<button type="button" class="button small" aria-label={`Cancel ${job.name}`} onClick={() => store.cancel(job)}>
			<Icon name="close" size={15} /> Cancel
		</button>
	);
}
