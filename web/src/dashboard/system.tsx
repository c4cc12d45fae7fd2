// What the server runs on: processors, memory, cards, disks, workers, the queue.

import { useEffect } from "preact/hooks";
import { ago, bytes, count, duration, plural } from "../common/format";
import { Icon } from "../common/icons";
import type { System } from "../common/types";
import { Spinner } from "../common/ui";
import { Card } from "./card";
import { now } from "./clock";
import { follow, href } from "./route";
import { Bar } from "./status";
import * as store from "./store";

/** How often the page asks for what no event tells, in milliseconds. */
const interval = 3000;

export function SystemPage() {
	useEffect(() => {
		const load = () => {
			if (!document.hidden) Promise.all([store.loadSystem(), store.loadQueue()]).catch(store.report);
		};
		load();
		const timer = setInterval(load, interval);
		return () => clearInterval(timer);
	}, []);
	const s = store.system.value;
	return (
		<div class="page">
			<h1 class="page-title">System</h1>
			{!s ? (
				<Spinner label="Loading" />
			) : (
				<>
					<div class="meters">
						<Meters s={s} />
					</div>
					<div class="columns">
						<div class="column">
							<QueueCard />
							<Workers />
						</div>
						<div class="column side">
							<Engines s={s} />
							<About s={s} />
						</div>
					</div>
				</>
			)}
		</div>
	);
}

function Meter(props: { icon: "cpu" | "memory" | "gauge" | "disk"; label: string; value: string; note: string; part?: number }) {
	return (
		<section class="card meter" aria-label={props.label}>
			<header>
				<Icon name={props.icon} size={16} />
				<h2>{props.label}</h2>
			</header>
			<b class="number">{props.value}</b>
			{props.part !== undefined && <Bar value={props.part} label={props.label} tone={props.part > 90 ? "bad" : ""} />}
			<small class="muted">{props.note}</small>
		</section>
	);
}

function Meters({ s }: { s: System }) {
	const { memory } = s;
	return (
		<>
			<Meter
				icon="cpu"
				label="Processors"
				value={s.load === undefined ? count(s.processors) : `${Math.round(s.load * 100)} %`}
				note={plural(s.processors, "core")}
				part={s.load === undefined ? undefined : s.load * 100}
			/>
			<Meter
				icon="memory"
				label="Memory"
				value={bytes(memory.resident)}
				note={`jobs may use ${bytes(memory.budget)} of ${bytes(memory.total)} · peak ${bytes(memory.peak)}`}
				part={memory.total > 0 ? (100 * memory.resident) / memory.total : undefined}
			/>
			{s.gpus.map((g) => (
				<Meter
					key={g.index}
					icon="gauge"
					label={g.name}
					value={`${Math.round(g.utilization)} %`}
					note={[
						`${bytes(g.memoryUsed)} of ${bytes(g.memoryTotal)}`,
						g.temperature ? `${Math.round(g.temperature)} °C` : "",
						g.powerWatts ? `${Math.round(g.powerWatts)} W` : "",
					]
						.filter(Boolean)
						.join(" · ")}
					part={g.utilization}
				/>
			))}
			{s.gpus.length === 0 && <Meter icon="gauge" label="GPU" value="None" note="all work runs on the processors" />}
			{s.disk.map((d) => (
				<Meter key={d.name} icon="disk" label={`Disk: ${d.name}`} value={d.free < 0 ? "–" : bytes(d.free)} note="free" />
			))}
		</>
	);
}

const states: [string, string][] = [
	["active", "Running"],
	["waiting", "Waiting"],
	["prioritized", "Waiting, with priority"],
	["delayed", "To be tried again"],
	["waiting-children", "Waiting for parts"],
	["completed", "Done"],
	["failed", "Failed"],
];

function QueueCard() {
	const q = store.queue.value;
	if (!q) return null;
	const button = (
		<button type="button" class="button small" onClick={() => void store.setPaused(!q.paused)}>
			<Icon name={q.paused ? "play" : "pause"} size={15} /> {q.paused ? "Resume" : "Pause"}
		</button>
	);
	return (
		<Card title="Queue" more={store.isAdmin.value ? button : undefined}>
			{q.paused && <p class="note warn">The queue is paused: running jobs go on, no new one is taken.</p>}
			<dl class="facts">
				{states.map(([name, label]) =>
					q.counts[name] ? (
						<div key={name}>
							<dt>{label}</dt>
							<dd class="number">{count(q.counts[name] ?? 0)}</dd>
						</div>
					) : null,
				)}
				<div>
					<dt>Oldest that waits</dt>
					<dd class="number">{q.oldestSeconds > 0 ? duration(q.oldestSeconds) : "none"}</dd>
				</div>
			</dl>
		</Card>
	);
}

function Workers() {
	const list = store.workers.value;
	return (
		<Card title="Workers" more={<small class="muted">{count(list.length)}</small>}>
			{list.length === 0 && <p class="note">No worker takes jobs from this queue.</p>}
			<ul class="workers">
				{list.map((w) => (
					<li key={w.name}>
						<span class={`dot ${w.taking ? "good" : "warn"}`} aria-hidden="true" />
						<div>
							<b>{w.name}</b>
							<small class="muted">
								{[
									w.local ? "this process" : (w.address ?? ""),
									w.taking ? "takes jobs" : "drains",
									w.since ? `since ${ago(w.since, now.value)}` : "",
								]
									.filter(Boolean)
									.join(" · ")}
							</small>
							{w.jobs.map((id) => (
								<a key={id} href={href({ page: "job", id })} onClick={(e) => follow(e, { page: "job", id })}>
									{store.jobs.value.get(id)?.name ?? id}
								</a>
							))}
						</div>
						<span class="number">
							{w.active < 0 ? "–" : w.active}
							{w.concurrency ? ` / ${w.concurrency}` : ""}
						</span>
					</li>
				))}
			</ul>
		</Card>
	);
}

function Engines({ s }: { s: System }) {
	if (s.engines.length === 0) return null;
	return (
		<Card title="Engines">
			<ul class="engines">
				<li>
					<Icon name="done" size={16} />
					<span>
						Native
						<small class="muted">always there</small>
					</span>
				</li>
				{s.engines.map((e) => (
					<li key={e.name} class={e.found ? "" : "off"}>
						<Icon name={e.found ? "done" : "plus"} size={16} />
						<span>
							{e.name} {e.version}
							{!e.found && <small class="muted">{e.adds ? `not installed; adds ${e.adds}` : "not installed"}</small>}
						</span>
					</li>
				))}
			</ul>
		</Card>
	);
}

function About({ s }: { s: System }) {
	return (
		<Card title="Server">
			<dl class="facts">
				<div>
					<dt>Version</dt>
					<dd>{s.version}</dd>
				</div>
				<div>
					<dt>System</dt>
					<dd>
						{s.os}, {s.go}
					</dd>
				</div>
				<div>
					<dt>Up for</dt>
					<dd>{duration(Math.max(1, (now.value - Date.parse(s.started)) / 1000))}</dd>
				</div>
				{s.services.map((b) => (
					<div key={b.name}>
						<dt>{b.name.charAt(0).toUpperCase() + b.name.slice(1)}</dt>
						<dd>{b.kind}</dd>
					</div>
				))}
				<div>
					<dt>Open dashboards</dt>
					<dd class="number">{count(s.eventClients)}</dd>
				</div>
			</dl>
		</Card>
	);
}
