import { compact } from "../../common/format";
import { cloudOf } from "../../common/result";
import { Segmented, Slider, Switch } from "../../common/ui";
import { classColor, className, type Gradient, gradients } from "../layers/cloud/palette";
import * as state from "../state";
import { length } from "../tools/measure";
import type { Viewer } from "../viewer";
import { Group } from "./panel";

export function ViewTab({ viewer }: { viewer: Viewer }) {
	const kind = state.active.value?.kind;
	return (
		<>
			<Group title="Show">
				<div class="sources" role="radiogroup" aria-label="Show">
					{state.sources.value.map((s) => (
						<label key={s.id} class={s.id === state.active.value?.id ? "on" : ""}>
							<input type="radio" name="source" checked={s.id === state.active.value?.id} onChange={() => void viewer.show(s)} />
							<span>{s.title}</span>
							<small>{s.note}</small>
						</label>
					))}
				</div>
				{state.hasCameras.value && (
					<Switch
						label="Cameras"
						note="Where the photos were taken; click one to see it"
						checked={state.camerasShown.value}
						onChange={(on) => {
							state.camerasShown.value = on;
						}}
					/>
				)}
			</Group>
			{kind === "cloud" && <CloudLook />}
			{(kind === "mesh" || (kind === "tiles" && !state.hasPoints.value)) && <SurfaceLook />}
			{kind === "tiles" && <TilesLook />}
		</>
	);
}

function CloudLook() {
	const colors = [
		{ value: "rgb" as const, label: "Colour", disabled: !state.hasColor.value },
		{ value: "height" as const, label: "Height" },
		{ value: "intensity" as const, label: "Intensity" },
		{ value: "class" as const, label: "Class" },
	];
	return (
		<>
			<Group title="Colour by">
				<Segmented
					label="Colour by"
					value={state.colorBy.value}
					options={colors}
					onChange={(v) => {
						state.colorBy.value = v;
					}}
				/>
				{state.colorBy.value === "height" && <HeightLook />}
				<Classes />
			</Group>
			<Group title="Points">
				<Slider
					label="Budget"
					value={Math.log10(state.budget.value)}
					min={5}
					max={7}
					step={0.05}
					text={`${compact(state.budget.value)} points`}
					onInput={(v) => {
						state.budget.value = Math.round(10 ** v / 1e4) * 1e4;
					}}
				/>
				<PointSize />
				<EyeDome />
			</Group>
		</>
	);
}

function PointSize() {
	return (
		<Slider
			label="Size"
			value={state.pointSize.value}
			min={0.4}
			max={3}
			step={0.1}
			text={`${Math.round(state.pointSize.value * 100)} %`}
			onInput={(v) => {
				state.pointSize.value = v;
			}}
		/>
	);
}

function EyeDome() {
	return (
		<>
			<Switch
				label="Eye-dome lighting"
				checked={state.eyeDome.value}
				onChange={(on) => {
					state.eyeDome.value = on;
				}}
			/>
			{state.eyeDome.value && (
				<Slider
					label="Strength"
					value={state.eyeDomeStrength.value}
					min={0.05}
					max={1.5}
					step={0.05}
					text={`${Math.round(state.eyeDomeStrength.value * 100)} %`}
					onInput={(v) => {
						state.eyeDomeStrength.value = v;
					}}
				/>
			)}
		</>
	);
}

const rampNames: Record<Gradient, string> = { turbo: "Turbo", viridis: "Viridis", terrain: "Terrain", grey: "Grey" };

function HeightLook() {
	const [low, high] = state.heightRange.value;
	const [least, most] = state.heightLimits.value;
	const step = (most - least) / 200 || 1;
	const set = (range: [number, number]) => {
		state.heightRange.value = range;
	};
	return (
		<>
			<Ramp stops={gradients[state.gradient.value]} />
			<Slider
				label="From"
				value={low}
				min={least}
				max={most}
				step={step}
				text={length(low - least, state.units.value)}
				onInput={(v) => set([Math.min(v, high - step), high])}
			/>
			<Slider
				label="To"
				value={high}
				min={least}
				max={most}
				step={step}
				text={length(high - least, state.units.value)}
				onInput={(v) => set([low, Math.max(v, low + step)])}
			/>
			<Segmented
				label="Colours of heights"
				value={state.gradient.value}
				options={(Object.keys(rampNames) as Gradient[]).map((value) => ({ value, label: rampNames[value] }))}
				onChange={(v) => {
					state.gradient.value = v;
				}}
			/>
		</>
	);
}

/** The colours from low to high. */
function Ramp({ stops }: { stops: number[] }) {
	return (
		<svg class="ramp" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
			<defs>
				<linearGradient id="ramp">
					{stops.map((s, i) => (
						<stop key={s} offset={i / (stops.length - 1)} stop-color={`#${s.toString(16).padStart(6, "0")}`} />
					))}
				</linearGradient>
			</defs>
			<rect width="100" height="4" fill="url(#ramp)" />
		</svg>
	);
}

function Classes() {
	const classes = cloudOf(state.opened.value?.result.analysis)?.classes;
	if (!classes?.length) return null;
	const toggle = (n: number) => {
		const hidden = new Set(state.hiddenClasses.value);
		if (!hidden.delete(n)) hidden.add(n);
		state.hiddenClasses.value = hidden;
	};
	return (
		<fieldset class="classes">
			<legend>Classes shown</legend>
			{classes.map((c) => (
				<label key={c.class}>
					<input type="checkbox" checked={!state.hiddenClasses.value.has(c.class)} onChange={() => toggle(c.class)} />
					<svg width="10" height="10" aria-hidden="true">
						<circle cx="5" cy="5" r="5" fill={classColor(c.class)} />
					</svg>
					<span>{className(c.class)}</span>
					<small class="number">{compact(c.points)}</small>
				</label>
			))}
		</fieldset>
	);
}

function SurfaceLook() {
	return (
		<Group title="Shading">
			<Segmented
				label="Shading"
				value={state.shading.value}
				options={[
					{ value: "lit", label: "Lit", title: "Materials under light" },
					{ value: "flat", label: "Flat", title: "Textures without light" },
					{ value: "clay", label: "Clay", title: "Shape without materials" },
					{ value: "wireframe", label: "Wires", title: "Triangles" },
				]}
				onChange={(v) => {
					state.shading.value = v;
				}}
			/>
		</Group>
	);
}

function TilesLook() {
	return (
		<Group title="Streaming">
			<Slider
				label="Detail"
				value={Math.log2(state.detail.value)}
				min={-2}
				max={2}
				step={0.5}
				text={`${Math.round(state.detail.value * 100)} %`}
				onInput={(v) => {
					state.detail.value = 2 ** v;
				}}
			/>
			{state.hasPoints.value && (
				<>
					<PointSize />
					<EyeDome />
				</>
			)}
		</Group>
	);
}
