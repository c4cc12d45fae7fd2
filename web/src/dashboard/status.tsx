// How jobs are shown, wherever they are.

import { bytes, compact, duration } from "../common/format";
import { Icon, type IconName } from "../common/icons";
import { final, type Job, type Priority, type Status } from "../common/types";

const looks: Record<Status, { text: string; tone: string; icon: IconName }> = {
	queued: { text: "Waiting", tone: "wait", icon: "clock" },
	analyzing: { text: "Analysing", tone: "run", icon: "activity" },
	processing: { text: "Processing", tone: "run", icon: "activity" },
	optimizing: { text: "Optimising", tone: "run", icon: "activity" },
	generating_tiles: { text: "Tiling", tone: "run", icon: "activity" },
	uploading: { text: "Publishing", tone: "run", icon: "activity" },
	completed: { text: "Done", tone: "good", icon: "done" },
	failed: { text: "Failed", tone: "bad", icon: "failed" },
	cancelled: { text: "Cancelled", tone: "off", icon: "failed" },
};

export function StatusBadge({ status }: { status: Status }) {
	const look = looks[status] ?? looks.queued;
	return (
		<span class={`badge ${look.tone}`}>
			<Icon name={look.icon} size={14} />
			{look.text}
		</span>
	);
}

export function Bar({ value, label, tone }: { value: number; label: string; tone?: string }) {
	return <progress class={`progress ${tone ?? ""}`} max={100} value={Math.max(0, Math.min(100, value))} aria-label={label} />;
}

const kinds: Record<string, string> = { pointcloud: "Point cloud", mesh: "Mesh", photogrammetry: "Photos" };

export function kindName(kind: string | undefined): string {
	return kinds[kind ?? ""] ?? "";
}

export function kindIcon(kind: string | undefined): IconName {
	return kind === "mesh" ? "box" : kind === "photogrammetry" ? "camera" : kind === "pointcloud" ? "layers" : "file";
}

const steps: Record<string, string> = { fetch: "Fetching the source", publish: "Storing the results" };

/** What a running job does. */
export function stepName(job: Job): string {
	const stage = job.stages.find((s) => s.state === "running");
	const step = job.currentStep ?? "";
	return stage?.title ?? stage?.name ?? steps[step] ?? step;
}

/** The same with how fast it goes, in a line. */
export function stepText(job: Job): string {
	return [stepName(job), rateText(job), remainingText(job)].filter(Boolean).join(" · ");
}

export function rateText(job: Job): string {
	if (!job.rate) return "";
	const moving = job.status === "uploading" || job.currentStep === "fetch";
	return `${moving ? bytes(job.rate) : compact(job.rate)}/s`;
}

export function remainingText(job: Job): string {
	return job.remainingSeconds && !final(job.status) ? `about ${duration(Math.max(1, job.remainingSeconds))} left` : "";
}

export function PriorityMark({ priority }: { priority: Priority }) {
	if (priority === "normal") return null;
	return <span class={`priority ${priority}`}>{priority}</span>;
}

/** What went wrong, without the stage, which is shown beside it. */
export function failureText(job: Job): string {
	return (job.error?.message ?? "").replace(`stage ${job.error?.stage}: `, "");
}

/** Seconds a job ran, or has run until now. */
export function ranFor(job: Job, now: number): number | undefined {
	if (!job.startedAt) return undefined;
	const end = job.completedAt ? Date.parse(job.completedAt) : now;
	return Math.max(0, (end - Date.parse(job.startedAt)) / 1000);
}
