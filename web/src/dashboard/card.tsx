import type { ComponentChildren } from "preact";

/** A part of a page, with its heading and what stands beside it. */
export function Card({ title, children, more }: { title: string; children: ComponentChildren; more?: ComponentChildren }) {
	return (
		<section class="card">
			<header class="card-head">
				<h2>{title}</h2>
				{more}
			</header>
			{children}
		</section>
	);
}
