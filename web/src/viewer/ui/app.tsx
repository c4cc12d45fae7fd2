// The page: picture, toolbar, panel, status line, and what is said when there is
// no picture.

import { useEffect, useRef, useState } from "preact/hooks";
import { count } from "../../common/format";
import { Icon, Logo } from "../../common/icons";
import { outputURL } from "../../common/result";
import { IconButton, Spinner, ThemeButton } from "../../common/ui";
import * as state from "../state";
import { Viewer } from "../viewer";
import { handleKey } from "./keys";
import { Panel } from "./panel";
import { Photo } from "./photo";
import { ShareDialog } from "./share";
import { Toolbar } from "./toolbar";

export function App() {
	const canvas = useRef<HTMLCanvasElement>(null);
	const svg = useRef<SVGSVGElement>(null);
	const [viewer, setViewer] = useState<Viewer>();
	const [sharing, setSharing] = useState(false);
	const [noGraphics, setNoGraphics] = useState(false);

	useEffect(() => {
		if (!canvas.current || !svg.current) return;
		let made: Viewer;
		try {
			made = new Viewer(canvas.current, svg.current);
		} catch {
			setNoGraphics(true); // three throws where there is no WebGL 2
			document.documentElement.dataset.viewer = "failed";
			return;
		}
		setViewer(made);
		void made.start();
		const onKey = (e: KeyboardEvent) => handleKey(e, made);
		document.addEventListener("keydown", onKey);
		return () => {
			document.removeEventListener("keydown", onKey);
			made.dispose();
		};
	}, []);

	return (
		<div class={`viewer ${state.panelOpen.value ? "with-panel" : ""}`}>
			<TopBar viewer={viewer} onShare={() => setSharing(true)} />
			<main class="stage">
				{/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: the picture is moved by keys */}
				<canvas
					ref={canvas}
					tabIndex={0}
					role="application"
					aria-label="3D view. Arrow keys turn, with Shift they shift, plus and minus zoom, F shows all."
				/>
				<svg ref={svg} class="overlay" aria-hidden="true" />
				{noGraphics ? <NoGraphics /> : <Veil viewer={viewer} />}
				{viewer && <Toolbar viewer={viewer} />}
				<Notice />
				<StatusLine />
			</main>
			{viewer && state.opened.value && <Panel viewer={viewer} />}
			{sharing && viewer && <ShareDialog viewer={viewer} onClose={() => setSharing(false)} />}
			{viewer && <Photo viewer={viewer} />}
		</div>
	);
}

function TopBar({ viewer, onShare }: { viewer?: Viewer; onShare: () => void }) {
	const opened = state.opened.value;
	const name = opened?.result.name ?? opened?.result.outputs[0]?.path?.split("/").pop() ?? "Result";
	const save = async () => {
		if (!viewer) return;
		const url = URL.createObjectURL(await viewer.screenshot());
		const a = document.createElement("a");
		a.href = url;
		a.download = `${name.replace(/\.[^.]*$/, "")}.png`;
		a.click();
		URL.revokeObjectURL(url);
	};
	return (
		<header class="top">
			{opened?.dashboard ? (
				<a class="icon-button" href="/" aria-label="Back to the dashboard" title="Back to the dashboard">
					<Icon name="back" />
				</a>
			) : (
				<Logo size={24} />
			)}
			<h1 title={name}>{opened ? name : "Slate360"}</h1>
			<nav aria-label="Result">
				<IconButton icon="camera" label="Save a picture" onClick={save} disabled={state.phase.value !== "ready"} />
				<IconButton icon="share" label="Share" onClick={onShare} disabled={!opened} />
				<ThemeButton />
				<IconButton
					icon="settings"
					label="Panel"
					pressed={state.panelOpen.value}
					onClick={() => {
						state.panelOpen.value = !state.panelOpen.value;
					}}
				/>
			</nav>
		</header>
	);
}

/** What lies over the picture while there is none. */
function Veil({ viewer }: { viewer?: Viewer }) {
	const { phase, problem, opened, active, loaded, sources } = state;
	const thumbnail = opened.value?.result.outputs.find((o) => o.type === "thumbnail" && o.path);
	switch (phase.value) {
		case "opening":
			return (
				<div class="veil">
					<Spinner label="Opening the result" />
				</div>
			);
		case "loading":
			return (
				<output class="loading" aria-live="polite">
					<Spinner label="Loading" />
					<span>
						Loading {active.value?.title.toLowerCase()}
						{loaded.value !== undefined && ` · ${Math.round(loaded.value * 100)} %`}
					</span>
				</output>
			);
		case "empty":
			return (
				<div class="veil">
					<div class="message">
						<Icon name="box" size={28} />
						<h2>{opened.value?.result.status === "failed" ? "This job failed" : "Nothing to show in 3D"}</h2>
						<p>{emptyText()}</p>
						{opened.value && thumbnail && <img src={outputURL(opened.value, thumbnail)} alt="" />}
					</div>
				</div>
			);
		case "failed":
			return (
				<div class="veil" role="alert">
					<div class="message">
						<Icon name="warning" size={28} />
						<h2>{failureTitle(problem.value?.status)}</h2>
						<p>{problem.value?.message}</p>
						<div class="actions">
							{active.value && viewer && (
								<button type="button" class="button" onClick={() => active.value && viewer.show(active.value)}>
									<Icon name="retry" /> Try again
								</button>
							)}
							{problem.value?.status === 401 && (
								<a class="button primary" href={`/?next=${encodeURIComponent(location.pathname)}`}>
									Sign in
								</a>
							)}
							{sources.value.length > 1 && <p class="muted">Or choose another view in the panel.</p>}
						</div>
					</div>
				</div>
			);
		default:
			return null;
	}
}

function emptyText(): string {
	const result = state.opened.value?.result;
	const error = result?.error;
	if (error) return typeof error === "string" ? error : error.message;
	if (result?.status && result.status !== "completed") return "The job is not finished yet. Come back when it is done.";
	return `The result has ${count(result?.outputs.length ?? 0)} outputs, and none of them can be drawn here.`;
}

function failureTitle(status: number | undefined): string {
	if (status === 404) return "There is no such result";
	if (status === 401 || status === 403) return "You may not see this";
	if (status === 410) return "This link has expired";
	return "This cannot be shown";
}

function NoGraphics() {
	return (
		<div class="veil" role="alert">
			<div class="message">
				<Icon name="warning" size={28} />
				<h2>This browser draws no 3D</h2>
				<p>The viewer needs WebGL 2. Switch on hardware acceleration, or use another browser.</p>
			</div>
		</div>
	);
}

function Notice() {
	if (!state.notice.value) return null;
	return (
		<div class="notice" role="status">
			<Icon name="alert" />
			<span>{state.notice.value}</span>
			<IconButton
				icon="close"
				label="Dismiss"
				size={16}
				onClick={() => {
					state.notice.value = undefined;
				}}
			/>
		</div>
	);
}

function StatusLine() {
	const place = state.cursor.value;
	return (
		<footer class="status">
			<span class="place">
				{place && (
					<>
						<b>{place.label}</b>
						{place.values.map((v, i) => (
							<span key={i} class="number">
								{v}
							</span>
						))}
					</>
				)}
			</span>
			<span class="number">{state.summary.value}</span>
			<span class={`pulse ${state.busy.value ? "on" : ""}`} title={state.busy.value ? "Loading detail" : "All loaded"} />
		</footer>
	);
}
