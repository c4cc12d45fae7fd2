import { Dialog } from "../../common/ui";
import { photo } from "../state";

/** The photo of a camera that was clicked. */
export function Photo() {
	const shown = photo.value;
	if (!shown) return null;
	return (
		<Dialog
			title={shown.name}
			class="photo"
			onClose={() => {
				photo.value = undefined;
			}}
		>
			{shown.url ? <img src={shown.url} alt={shown.name} /> : <p class="muted">The photo was not kept with the result.</p>}
		</Dialog>
	);
}
