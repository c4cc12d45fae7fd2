// Share: a link to this view, for those who may see the result, or a read-only one
// that ends.

import { useState } from "preact/hooks";
import { request } from "../../common/api";
import { dateTime } from "../../common/format";
import { Icon } from "../../common/icons";
import type { ShareLink } from "../../common/types";
import { Dialog, Segmented } from "../../common/ui";
import * as state from "../state";
import type { Viewer } from "../viewer";

const spans = { day: 86_400, week: 604_800, month: 2_592_000 };

export function ShareDialog({ viewer, onClose }: { viewer: Viewer; onClose: () => void }) {
	const job = state.opened.value?.jobId;
	const here = `${location.origin}${location.pathname}#${viewer.viewState()}`;
	return (
		<Dialog title="Share this view" onClose={onClose}>
			{job && <PublicLink job={job} viewer={viewer} />}
			<Link label={job ? "For people who can sign in here" : "Link to this view"} url={here} />
			<p class="muted">The link keeps the camera, colours, section and measurements as they are now.</p>
		</Dialog>
	);
}

function PublicLink({ job, viewer }: { job: string; viewer: Viewer }) {
	const [span, setSpan] = useState<keyof typeof spans>("week");
	const [link, setLink] = useState<ShareLink>();
	const [problem, setProblem] = useState<string>();
	const make = async () => {
		setProblem(undefined);
		try {
			const made = await request<ShareLink>("POST", `/api/models/jobs/${encodeURIComponent(job)}/share`, {
				expiresIn: spans[span],
			});
			const url = new URL(made.url, location.href);
			url.hash = viewer.viewState();
			setLink({ url: url.href, expiresAt: made.expiresAt });
		} catch (error) {
			setProblem(error instanceof Error ? error.message : String(error));
		}
	};
	return (
		<section class="share-public">
			<p>Anyone with this link can look at the result and download it, and change nothing, until it ends.</p>
			<div class="row">
				<Segmented
					label="The link ends after"
					value={span}
					options={[
						{ value: "day", label: "1 day" },
						{ value: "week", label: "7 days" },
						{ value: "month", label: "30 days" },
					]}
					onChange={(v) => {
						setSpan(v);
						setLink(undefined);
					}}
				/>
				<button type="button" class="button primary" onClick={make}>
					<Icon name="share" /> Make a link
				</button>
			</div>
			{problem && <p class="problem">{problem}</p>}
			{link && <Link label={`Open to anyone until ${dateTime(link.expiresAt)}`} url={link.url} />}
		</section>
	);
}

function Link({ label, url }: { label: string; url: string }) {
	const [copied, setCopied] = useState(false);
	const copy = async (input: HTMLInputElement) => {
		input.select();
		await navigator.clipboard?.writeText(url);
		setCopied(true);
	};
	return (
		<div class="field">
			<label for={`link-${label}`}>{label}</label>
			<div class="row">
				<input id={`link-${label}`} class="input" readOnly value={url} onFocus={(e) => e.currentTarget.select()} />
				<button
					type="button"
					class="button"
					onClick={(e) => {
						const input = e.currentTarget.previousElementSibling as HTMLInputElement;
						copy(input).catch(() => setCopied(false));
					}}
				>
					<Icon name={copied ? "check" : "copy"} /> {copied ? "Copied" : "Copy"}
				</button>
			</div>
		</div>
	);
}
