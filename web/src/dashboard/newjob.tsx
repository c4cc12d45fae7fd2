// A new job: what was dropped, or addresses; and what is wanted of it.

import { useState } from "preact/hooks";
import { bytes, plural } from "../common/format";
import { Icon } from "../common/icons";
import { outputTitle } from "../common/result";
import type { Priority } from "../common/types";
import { Dialog, Segmented, Slider, Switch } from "../common/ui";
import { toast } from "./store";
import { type Picked, send, submitAddresses, type Wishes } from "./uploads";

const formats = ["auto", "laz", "las", "copc", "glb", "gltf", "obj", "ply", "stl", "fbx", "dae", "3ds", "photos", "zip"];
const outputs = [
	"glb_draco",
	"copc",
	"ept",
	"tiles_3d",
	"laz",
	"dsm",
	"dtm",
	"orthophoto",
	"obj",
	"thumbnail",
	"report",
	"cameras",
];

interface Form {
	format: string;
	priority: Priority;
	formats: string[];
	quality: number;
	lod: boolean;
	crs: string;
	upAxis: "auto" | "y" | "z";
	vertices: string;
}

const start: Form = {
	format: "auto",
	priority: "normal",
	formats: [],
	quality: 0.8,
	lod: true,
	crs: "",
	upAxis: "auto",
	vertices: "",
};

/** Says only what differs from what holds anyway. */
function wishes(f: Form): Wishes {
	const options: Record<string, unknown> = {};
	if (f.formats.length > 0) options.formats = f.formats;
	if (f.quality !== start.quality) options.quality = f.quality;
	if (!f.lod) options.generateLOD = false;
	if (f.crs.trim()) options.crs = { source: f.crs.trim() };
	if (f.upAxis !== "auto") options.upAxis = f.upAxis;
	const vertices = f.vertices
		.split(/[\s,;]+/)
		.filter(Boolean)
		.map(Number);
	if (vertices.length > 0) options.targetVertices = vertices;
	return { sourceFormat: f.format, priority: f.priority, options };
}

export function NewJob({ picked, onClose }: { picked?: Picked[]; onClose: () => void }) {
	const [form, setForm] = useState(start);
	const [together, setTogether] = useState(oneSource(picked ?? []));
	const [addresses, setAddresses] = useState("");
	const set = (change: Partial<Form>) => setForm((f) => ({ ...f, ...change }));
	const urls = addresses.split(/\s+/).filter(Boolean);
	const ready = picked ? picked.length > 0 : urls.length > 0;
	const submit = (e: SubmitEvent) => {
		e.preventDefault();
		if (!ready) return;
		const w = wishes(form);
		if (picked) {
			if (together) send(picked, w);
			else for (const p of picked) send([p], w);
			onClose();
			return;
		}
		void submitAddresses(urls, w).then((ok) => {
			if (!ok) return;
			toast("The job is in the queue");
			onClose();
		});
	};
	return (
		<Dialog title="New job" onClose={onClose} class="newjob">
			<form onSubmit={submit}>
				{picked ? (
					<>
						<FileList picked={picked} />
						{picked.length > 1 && (
							<Switch
								label="One source of several files"
								note="Photos of one place, or a model with its textures. Off makes a job of each file."
								checked={together}
								onChange={setTogether}
							/>
						)}
					</>
				) : (
					<div class="field">
						<label for="addresses">Addresses of the source</label>
						<textarea
							id="addresses"
							class="input"
							rows={3}
							placeholder="https://… or s3://bucket/key, one a line"
							value={addresses}
							onInput={(e) => setAddresses(e.currentTarget.value)}
						/>
						<small>Several addresses are one source, such as photos of one place.</small>
					</div>
				)}
				<div class="field">
					<span class="label">Priority</span>
					<Segmented
						label="Priority"
						value={form.priority}
						options={(["low", "normal", "high", "urgent"] as const).map((value) => ({ value, label: capital(value) }))}
						onChange={(priority) => set({ priority })}
					/>
				</div>
				<Options form={form} set={set} />
				<footer>
					<button type="button" class="button" onClick={onClose}>
						Cancel
					</button>
					<button type="submit" class="button primary" disabled={!ready}>
						{picked && !together && picked.length > 1 ? `Start ${picked.length} jobs` : "Start"}
					</button>
				</footer>
			</form>
		</Dialog>
	);
}

/** Photos, and what came in a folder, belong together; scans and models stand for themselves. */
function oneSource(picked: Picked[]): boolean {
	if (picked.length < 2) return true;
	if (picked.some((p) => p.path.includes("/"))) return true;
	const alone = /\.(laz|las|glb|stl|ply|zip|7z|fbx)$/i;
	return !picked.every((p) => alone.test(p.file.name));
}

function FileList({ picked }: { picked: Picked[] }) {
	const size = picked.reduce((sum, p) => sum + p.file.size, 0);
	const shown = picked.slice(0, 6);
	return (
		<div class="picked">
			<header>
				<b>{plural(picked.length, "file")}</b>
				<span class="muted number">{bytes(size)}</span>
			</header>
			<ul>
				{shown.map((p) => (
					<li key={p.path}>
						<Icon name="file" size={15} />
						<span>{p.path}</span>
						<small class="muted number">{bytes(p.file.size)}</small>
					</li>
				))}
				{picked.length > shown.length && <li class="muted">and {picked.length - shown.length} more</li>}
			</ul>
		</div>
	);
}

function Options({ form, set }: { form: Form; set: (change: Partial<Form>) => void }) {
	const toggle = (name: string) =>
		set({ formats: form.formats.includes(name) ? form.formats.filter((f) => f !== name) : [...form.formats, name] });
	return (
		<details class="options">
			<summary>
				<Icon name="right" size={16} /> Options
			</summary>
			<div class="options-body">
				<fieldset class="chips">
					<legend>Outputs</legend>
					{outputs.map((name) => (
						<label key={name}>
							<input type="checkbox" checked={form.formats.includes(name)} onChange={() => toggle(name)} />
							<span>{outputTitle(name)}</span>
						</label>
					))}
					<small class="muted">None chosen makes all that suit the source.</small>
				</fieldset>
				<Slider
					label="Quality"
					min={0}
					max={1}
					step={0.05}
					value={form.quality}
					text={`${Math.round(form.quality * 100)} %`}
					onInput={(quality) => set({ quality })}
				/>
				<Switch label="Levels of detail" note="Smaller versions of a mesh" checked={form.lod} onChange={(lod) => set({ lod })} />
				<div class="two">
					<div class="field">
						<label for="format">Format of the source</label>
						<select id="format" class="input" value={form.format} onChange={(e) => set({ format: e.currentTarget.value })}>
							{formats.map((f) => (
								<option key={f} value={f}>
									{f === "auto" ? "By its content" : f === "photos" ? "Photos" : f.toUpperCase()}
								</option>
							))}
						</select>
					</div>
					<div class="field">
						<label for="axis">Up axis of a model</label>
						<select
							id="axis"
							class="input"
							value={form.upAxis}
							onChange={(e) => set({ upAxis: e.currentTarget.value as Form["upAxis"] })}
						>
							<option value="auto">By its format</option>
							<option value="y">Y</option>
							<option value="z">Z</option>
						</select>
					</div>
					<div class="field">
						<label for="crs">Reference system</label>
						<input
							id="crs"
							class="input"
							placeholder="As in the file, or EPSG:25832"
							value={form.crs}
							onInput={(e) => set({ crs: e.currentTarget.value })}
						/>
					</div>
					<div class="field">
						<label for="vertices">Vertices of the levels</label>
						<input
							id="vertices"
							class="input"
							inputMode="numeric"
							placeholder="1000000, 100000, 10000"
							pattern="[0-9 ,;]*"
							value={form.vertices}
							onInput={(e) => set({ vertices: e.currentTarget.value })}
						/>
					</div>
				</div>
			</div>
		</details>
	);
}

function capital(s: string): string {
	return s.charAt(0).toUpperCase() + s.slice(1);
}
