// The panel: what is shown and how, measurements, section, and what is known of
// the result.

import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "../../common/icons";
import { IconButton } from "../../common/ui";
import * as state from "../state";
import type { Viewer } from "../viewer";
import { InfoTab } from "./info";
import { MeasureTab } from "./measure";
import { SectionTab } from "./section";
import { ViewTab } from "./view";

const tabs: { id: typeof state.panelTab.value; title: string; icon: IconName }[] = [
	{ id: "view", title: "View", icon: "layers" },
	{ id: "measure", title: "Measure", icon: "ruler" },
	{ id: "section", title: "Section", icon: "section" },
	{ id: "info", title: "Info", icon: "info" },
];

export function Panel({ viewer }: { viewer: Viewer }) {
	if (!state.panelOpen.value) return null;
	const tab = state.panelTab.value;
	return (
		<aside class="panel" aria-label="Panel">
			<div class="tabs" role="tablist" aria-label="Panel">
				{tabs.map((t) => (
					<button
						key={t.id}
						type="button"
						role="tab"
						id={`tab-${t.id}`}
						aria-selected={t.id === tab}
						aria-controls="panel-body"
						tabIndex={t.id === tab ? 0 : -1}
						onClick={() => {
							state.panelTab.value = t.id;
						}}
						onKeyDown={(e) => moveTab(e, t.id)}
					>
						<Icon name={t.icon} size={16} />
						{t.title}
					</button>
				))}
				<IconButton
					icon="close"
					label="Close the panel"
					class="close-panel"
					onClick={() => {
						state.panelOpen.value = false;
					}}
				/>
			</div>
			{/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
			<div class="panel-body" id="panel-body" role="tabpanel" aria-labelledby={`tab-${tab}`} tabIndex={0}>
				{tab === "view" && <ViewTab viewer={viewer} />}
				{tab === "measure" && <MeasureTab viewer={viewer} />}
				{tab === "section" && <SectionTab viewer={viewer} />}
				{tab === "info" && <InfoTab />}
			</div>
		</aside>
	);
}

function moveTab(e: KeyboardEvent, from: string): void {
	const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
	if (!step) return;
	e.preventDefault();
	e.stopPropagation();
	const i = tabs.findIndex((t) => t.id === from);
	const next = tabs[(i + step + tabs.length) % tabs.length];
	if (!next) return;
	state.panelTab.value = next.id;
	document.getElementById(`tab-${next.id}`)?.focus();
}

export function Group({ title, children }: { title: string; children: ComponentChildren }) {
	return (
		<section class="group">
			<h2>{title}</h2>
			{children}
		</section>
	);
}
