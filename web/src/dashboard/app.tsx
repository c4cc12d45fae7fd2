// The dashboard: who is there, where they are, and what drops anywhere.

import { useEffect, useState } from "preact/hooks";
import { Icon, Logo } from "../common/icons";
import { IconButton, Spinner, ThemeButton } from "../common/ui";
import { JobPage } from "./job";
import { JobsPage } from "./jobs";
import { Login } from "./login";
import { NewJob } from "./newjob";
import { follow, href, type Route, route } from "./route";
import * as store from "./store";
import { SystemPage } from "./system";
import { filesOf, type Picked } from "./uploads";

export function App() {
	useEffect(() => {
		void store.loadSession();
	}, []);
	const s = store.session.value;
	if (!s) return store.trouble.value ? <Unreachable /> : <Wait />;
	if (s.required && !s.authenticated) return <Login />;
	return <Signed />;
}

function Wait() {
	return (
		<main class="center">
			<Spinner label="Connecting" />
		</main>
	);
}

function Unreachable() {
	return (
		<main class="center">
			<div class="login">
				<Icon name="warning" size={28} />
				<h1>{store.trouble.value?.title}</h1>
				<p class="muted">{store.trouble.value?.detail}</p>
				<button type="button" class="button primary" onClick={() => void store.loadSession()}>
					<Icon name="retry" /> Try again
				</button>
			</div>
		</main>
	);
}

function Signed() {
	const [picked, setPicked] = useState<Picked[]>();
	useEffect(() => {
		store.start();
		void store.loadList();
		store.loadQueue().catch(store.report);
		return store.stop;
	}, []);
	return (
		<>
			<a class="skip" href="#main">
				Skip to the content
			</a>
			<Header />
			<main id="main">
				<Page onNew={setPicked} />
			</main>
			{store.mayChange.value && <DropAnywhere onFiles={setPicked} />}
			{picked && <NewJob picked={picked} onClose={() => setPicked(undefined)} />}
			<Toasts />
		</>
	);
}

function Page({ onNew }: { onNew: (picked: Picked[]) => void }) {
	const r = route.value;
	switch (r.page) {
		case "job":
			return <JobPage key={r.id} id={r.id} />;
		case "system":
			return <SystemPage />;
		default:
			return <JobsPage onNew={onNew} />;
	}
}

function Header() {
	const s = store.session.value;
	const here = route.value.page;
	const tab = (to: Route, text: string, on: boolean) => (
		<a href={href(to)} aria-current={on ? "page" : undefined} onClick={(e) => follow(e, to)}>
			{text}
		</a>
	);
	return (
		<header class="bar">
			<div class="bar-in">
				<a class="brand" href="/" onClick={(e) => follow(e, { page: "jobs" })} aria-label="Slate360, jobs">
					<Logo />
					<b>Slate360</b>
				</a>
				<nav aria-label="Pages">
					{tab({ page: "jobs" }, "Jobs", here !== "system")}
					{tab({ page: "system" }, "System", here === "system")}
				</nav>
				<span class={`live ${store.connected.value ? "on" : ""}`} role="status">
					<i aria-hidden="true" />
					<span>{store.connected.value ? "Live" : "Reconnecting…"}</span>
				</span>
				<ThemeButton />
				{s?.required && (
					<IconButton icon="logout" label={`Sign out ${s.name ?? ""}`} onClick={() => store.logout().catch(store.report)} />
				)}
			</div>
		</header>
	);
}

/** Lets files fall anywhere on the page. */
function DropAnywhere({ onFiles }: { onFiles: (picked: Picked[]) => void }) {
	const [over, setOver] = useState(false);
	useEffect(() => {
		let depth = 0;
		const hasFiles = (e: DragEvent) => e.dataTransfer?.types.includes("Files");
		const enter = (e: DragEvent) => {
			if (!hasFiles(e)) return;
			depth++;
			setOver(true);
		};
		const leave = (e: DragEvent) => {
			if (hasFiles(e) && --depth <= 0) setOver(false);
		};
		const drag = (e: DragEvent) => {
			if (hasFiles(e)) e.preventDefault();
		};
		const drop = (e: DragEvent) => {
			depth = 0;
			setOver(false);
			if (!e.dataTransfer || !hasFiles(e)) return;
			e.preventDefault();
			filesOf(e.dataTransfer)
				.then((picked) => {
					if (picked.length > 0) onFiles(picked);
				})
				.catch(store.report);
		};
		const listeners = { dragenter: enter, dragleave: leave, dragover: drag, drop } as const;
		for (const [name, f] of Object.entries(listeners)) addEventListener(name, f as EventListener);
		return () => {
			for (const [name, f] of Object.entries(listeners)) removeEventListener(name, f as EventListener);
		};
	}, [onFiles]);
	if (!over) return null;
	return (
		<div class="drop-veil" aria-hidden="true">
			<div>
				<Icon name="upload" size={36} />
				<b>Drop to process</b>
				<span>Scans, models, folders of photos, archives</span>
			</div>
		</div>
	);
}

function Toasts() {
	return (
		<div class="toasts" role="status" aria-live="polite">
			{store.toasts.value.map((t) => (
				<div key={t.id} class={`toast ${t.bad ? "bad" : ""}`}>
					<Icon name={t.bad ? "alert" : "done"} />
					<span>{t.text}</span>
				</div>
			))}
		</div>
	);
}
