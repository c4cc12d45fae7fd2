import { Slider, Switch } from "../../common/ui";
import * as state from "../state";
import { length } from "../tools/measure";
import { setFace, type Viewer } from "../viewer";
import { Group } from "./panel";

const faces = [
	{ axis: 0, side: "min", label: "West" },
	{ axis: 0, side: "max", label: "East" },
	{ axis: 1, side: "min", label: "South" },
	{ axis: 1, side: "max", label: "North" },
	{ axis: 2, side: "min", label: "Bottom" },
	{ axis: 2, side: "max", label: "Top" },
] as const;

export function SectionTab({ viewer }: { viewer: Viewer }) {
	const box = state.section.value;
	const limits = state.sectionLimits.value;
	return (
		<Group title="Section box">
			<Switch
				label="Cut the model"
				note="Drag the dots in the picture, or use the sliders"
				checked={box !== undefined}
				onChange={() => viewer.toggleSection()}
			/>
			{box &&
				limits &&
				faces.map(({ axis, side, label }) => {
					const [low, high] = [limits.min.getComponent(axis), limits.max.getComponent(axis)];
					const value = box[side].getComponent(axis);
					return (
						<Slider
							key={label}
							label={label}
							min={low}
							max={high}
							step={(high - low) / 500 || 1}
							value={value}
							text={length(value - low, state.units.value)}
							onInput={(v) => {
								const next = box.clone();
								setFace(next, axis, side, v, limits);
								state.section.value = next;
							}}
						/>
					);
				})}
			{box && limits && (
				<div class="row">
					<button
						type="button"
						class="button small"
						onClick={() => {
							state.section.value = limits.clone();
						}}
					>
						Whole model
					</button>
					<button type="button" class="button small" onClick={() => viewer.stage.fit(undefined, "flight", box)}>
						Show the box
					</button>
				</div>
			)}
		</Group>
	);
}
