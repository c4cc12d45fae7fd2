import { Icon } from "../../common/icons";
import { Dialog, IconButton } from "../../common/ui";
import { photo } from "../state";
import type { Viewer } from "../viewer";

/** The photo of a camera that was clicked. */
export function Photo({ viewer }: { viewer: Viewer }) {
	const shown = photo.value;
	if (!shown) return null;
	const move = (step: number) => viewer.choose(viewer.photoAfter(shown, step));
	return (
		<Dialog title={shown.name} class="photo" onClose={() => viewer.choose(undefined)}>
			{shown.url ? <img src={shown.url} alt={shown.name} /> : <p class="muted">The photo was not kept with the result.</p>}
			<footer>
				<IconButton icon="back" label="Photo before" onClick={() => move(-1)} />
				<IconButton icon="right" label="Next photo" onClick={() => move(1)} />
				<button
					type="button"
					class="button primary"
					onClick={() => {
						viewer.standAt(shown);
						photo.value = undefined;
					}}
				>
					<Icon name="camera" /> Look from here
				</button>
			</footer>
		</Dialog>
	);
}
