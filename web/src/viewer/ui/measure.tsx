import { Icon } from "../../common/icons";
import { IconButton, Segmented } from "../../common/ui";
import * as state from "../state";
import { figures, type Measurement, measureTitle } from "../tools/measure";
import type { Viewer } from "../viewer";
import { Group } from "./panel";

export function MeasureTab({ viewer }: { viewer: Viewer }) {
	// One that was only begun has no numbers yet.
	const list = state.measurements.value.filter((m) => m.done || m.points.length > 1);
	return (
		<>
			<Group title="Units">
				<Segmented
					label="Units"
					value={state.units.value}
					options={[
						{ value: "metric", label: "Metres" },
						{ value: "feet", label: "Feet" },
					]}
					onChange={(v) => {
						state.units.value = v;
					}}
				/>
			</Group>
			<Group title="Measurements">
				{list.length === 0 && (
					<p class="muted">
						Choose a tool beside the picture, then click on the model. Places are exact: on a point of the cloud, on the surface
						of a mesh.
					</p>
				)}
				<ul class="measurements">
					{list.map((m) => (
						<Row key={m.id} m={m} viewer={viewer} />
					))}
				</ul>
				{list.length > 0 && (
					<div class="row">
						<button type="button" class="button small" onClick={() => saveCSV(list, viewer)}>
							<Icon name="download" size={15} /> CSV
						</button>
						<button
							type="button"
							class="button small"
							onClick={() => {
								state.measurements.value = [];
							}}
						>
							<Icon name="trash" size={15} /> Remove all
						</button>
					</div>
				)}
			</Group>
		</>
	);
}

function Row({ m, viewer }: { m: Measurement; viewer: Viewer }) {
	const numbers = figures(m, state.units.value);
	const place = m.points[0] && viewer.place(m.points[0]);
	return (
		<li>
			<header>
				<b>
					{measureTitle(m.kind)} {m.kind === "point" ? m.id : ""}
				</b>
				<IconButton
					icon="trash"
					size={15}
					label={`Remove ${measureTitle(m.kind)} ${m.id}`}
					onClick={() => {
						state.measurements.value = state.measurements.value.filter((other) => other !== m);
					}}
				/>
			</header>
			<dl>
				{numbers.map((f) => (
					<div key={f.name}>
						<dt>{f.name}</dt>
						<dd class="number">{f.value}</dd>
					</div>
				))}
				{m.kind === "point" && place && (
					<div class="place">
						<dt>{place.label}</dt>
						<dd class="number">{place.values.join("  ")}</dd>
					</div>
				)}
			</dl>
		</li>
	);
}

function saveCSV(list: Measurement[], viewer: Viewer): void {
	const quote = (s: string) => `"${s.replaceAll('"', '""')}"`;
	const rows = list.map((m) => [
		String(m.id),
		m.kind,
		quote(
			figures(m, state.units.value)
				.map((f) => `${f.name} ${f.value}`)
				.join("; "),
		),
		quote(m.points.map((p) => viewer.place(p).values.join(" ")).join("; ")),
	]);
	const text = ["id,kind,figures,points", ...rows.map((r) => r.join(","))].join("\n");
	const url = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" }));
	const a = document.createElement("a");
	a.href = url;
	a.download = "measurements.csv";
	a.click();
	URL.revokeObjectURL(url);
}
