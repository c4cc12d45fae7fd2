// Tools beside the picture.

import { IconButton } from "../../common/ui";
import * as state from "../state";
import type { MeasureKind } from "../tools/measure";
import type { Viewer } from "../viewer";

const tools: { kind: MeasureKind; icon: "point" | "ruler" | "height" | "area"; label: string; key: string }[] = [
	{ kind: "distance", icon: "ruler", label: "Measure a distance", key: "D" },
	{ kind: "height", icon: "height", label: "Measure a height", key: "H" },
	{ kind: "area", icon: "area", label: "Measure an area", key: "A" },
	{ kind: "point", icon: "point", label: "Mark a point", key: "P" },
];

export function Toolbar({ viewer }: { viewer: Viewer }) {
	const tool = state.tool.value;
	const ready = state.phase.value === "ready";
	return (
		<div class="toolbar" role="toolbar" aria-label="Tools">
			<IconButton icon="home" label="Home view" hint="Home view (1)" disabled={!ready} onClick={() => viewer.stage.fit("home")} />
			<IconButton icon="fit" label="Show all" hint="Show all (F)" disabled={!ready} onClick={() => viewer.stage.fit()} />
			<hr />
			{tools.map((t) => (
				<IconButton
					key={t.kind}
					icon={t.icon}
					label={t.label}
					hint={`${t.label} (${t.key})`}
					pressed={tool === t.kind}
					disabled={!ready}
					onClick={() => {
						viewer.finish();
						state.tool.value = tool === t.kind ? undefined : t.kind;
					}}
				/>
			))}
			<hr />
			<IconButton
				icon="section"
				label="Section box"
				hint="Section box (X)"
				pressed={state.section.value !== undefined}
				disabled={!ready}
				onClick={() => {
					viewer.toggleSection();
					if (state.section.value && !state.small) {
						state.panelOpen.value = true;
						state.panelTab.value = "section";
					}
				}}
			/>
			{tool && <Hint />}
		</div>
	);
}

function Hint() {
	const text = {
		distance: "Click points; double-click or Enter ends",
		height: "Click the lower, then the upper point",
		area: "Click the corners; double-click or Enter closes",
		point: "Click a point",
	}[state.tool.value ?? "point"];
	return (
		<p class="hint" role="status">
			{text}
		</p>
	);
}
