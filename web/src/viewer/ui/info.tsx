import { bytes, count } from "../../common/format";
import { Icon } from "../../common/icons";
import { type Analysis, cloudOf, meshOf, type Output, outputTitle, outputURL } from "../../common/result";
import * as state from "../state";
import { help } from "./keys";
import { Group } from "./panel";

export function InfoTab() {
	const opened = state.opened.value;
	if (!opened) return null;
	const { result } = opened;
	return (
		<>
			<Facts analysis={result.analysis} />
			{(result.warnings?.length ?? 0) > 0 && (
				<Group title="Warnings">
					{result.warnings?.map((w) => (
						<p key={w} class="warning">
							{w}
						</p>
					))}
				</Group>
			)}
			<Group title="Files">
				<ul class="files">
					{result.outputs.map((o) => (
						<li key={`${o.type}${o.path}`}>
							<a
								href={outputURL(opened, o)}
								download={o.files || o.type === "report" ? undefined : ""}
								target={o.type === "report" ? "_blank" : undefined}
								rel="noreferrer"
							>
								<span>
									{outputTitle(o.type)}
									<small>{o.path?.split("/").pop()}</small>
								</span>
								<small class="number">
									{bytes(o.size)}
									{holds(o) && <br />}
									{holds(o)}
								</small>
								<Icon name="download" size={15} />
							</a>
						</li>
					))}
				</ul>
			</Group>
			<Group title="Keys">
				<dl class="keys">
					{help.map(([keys, what]) => (
						<div key={keys}>
							<dt>
								<kbd>{keys}</kbd>
							</dt>
							<dd>{what}</dd>
						</div>
					))}
				</dl>
			</Group>
		</>
	);
}

function holds(o: Output): string {
	if (o.type === "tiles_3d" || o.type === "ept") return o.tiles ? `${count(o.tiles)} tiles` : "";
	if (o.points) return `${count(o.points)} points`;
	if (o.triangles) return `${count(o.triangles)} triangles`;
	if (o.width) return `${o.width} × ${o.height}`;
	return "";
}

function Facts({ analysis }: { analysis?: Analysis }) {
	const rows: [string, string][] = [];
	if (!analysis) return null;
	const mesh = meshOf(analysis);
	const cloud = cloudOf(analysis);
	const unit = cloud?.crs?.horizontalUnit;
	const photos = analysis.mapping;
	if (photos) rows.push(["Photos", `${count(photos.registered)} of ${count(photos.photos)} in place`]);
	if (photos) rows.push(["Reprojection error", `${photos.reprojectionError.toFixed(2)} px`]);
	if (cloud?.points) rows.push(["Points", count(cloud.points)]);
	if (mesh?.triangles) rows.push(["Triangles", count(mesh.triangles)]);
	if (mesh?.vertices) rows.push(["Vertices", count(mesh.vertices)]);
	if (mesh?.size && !cloud?.bounds) rows.push(["Size", mesh.size.map((n) => n.toFixed(2)).join(" × ")]);
	if (cloud?.density)
		rows.push(["Density", `${cloud.density.toFixed(1)} per ${unit === "metre" ? "m²" : `square ${unit ?? "unit"}`}`]);
	const crs = cloud?.crs;
	if (crs?.name) rows.push(["Reference system", crs.epsg ? `${crs.name} (EPSG:${crs.epsg})` : crs.name]);
	const b = cloud?.bounds;
	if (b) {
		rows.push(["Extent", b.min.map((v, i) => ((b.max[i] ?? 0) - v).toFixed(1)).join(" × ") + (unit ? ` ${unit}` : "")]);
		rows.push(["Heights", `${b.min[2].toFixed(2)} to ${b.max[2].toFixed(2)}`]);
	}
	const center = cloud?.wgs84?.center;
	if (center) rows.push(["Location", `${center[1].toFixed(6)}, ${center[0].toFixed(6)}`]);
	if (rows.length === 0) return null;
	return (
		<Group title="About">
			<dl class="facts">
				{rows.map(([name, value]) => (
					<div key={name}>
						<dt>{name}</dt>
						<dd class="number">{value}</dd>
					</div>
				))}
			</dl>
			{crs?.note && <p class="muted small">{crs.note}</p>}
		</Group>
	);
}
