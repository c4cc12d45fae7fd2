// Controls that both pages are made of.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon, type IconName } from "./icons";
import { nextTheme, theme } from "./theme";

export function IconButton(props: {
	icon: IconName;
	label: string;
	onClick: () => void;
	pressed?: boolean;
	disabled?: boolean;
	size?: number;
	class?: string;
	hint?: string;
}) {
	return (
		<button
			type="button"
			class={`icon-button ${props.class ?? ""}`}
			aria-label={props.label}
			title={props.hint ?? props.label}
			aria-pressed={props.pressed}
			disabled={props.disabled}
			onClick={props.onClick}
		>
			<Icon name={props.icon} size={props.size} />
		</button>
	);
}

export function Segmented<T extends string>(props: {
	label: string;
	value: T;
	options: { value: T; label: string; disabled?: boolean; title?: string }[];
	onChange: (value: T) => void;
}) {
	const name = useId();
	return (
		<fieldset class="segmented">
			<legend class="visually-hidden">{props.label}</legend>
			{props.options.map((o) => (
				<label key={o.value} class={o.value === props.value ? "on" : ""} title={o.title}>
					<input
						type="radio"
						name={name}
						checked={o.value === props.value}
						disabled={o.disabled}
						onChange={() => props.onChange(o.value)}
					/>
					<span>{o.label}</span>
				</label>
			))}
		</fieldset>
	);
}

export function Slider(props: {
	label: string;
	value: number;
	min: number;
	max: number;
	step: number;
	text?: string;
	onInput: (value: number) => void;
}) {
	const id = useId();
	return (
		<div class="slider">
			<label for={id}>{props.label}</label>
			<output for={id}>{props.text ?? props.value}</output>
			<input
				id={id}
				type="range"
				min={props.min}
				max={props.max}
				step={props.step}
				value={props.value}
				aria-valuetext={props.text}
				onInput={(e) => props.onInput(Number(e.currentTarget.value))}
			/>
		</div>
	);
}

export function Switch(props: { label: string; checked: boolean; onChange: (on: boolean) => void; note?: string }) {
	return (
		<label class="switch">
			<span>
				{props.label}
				{props.note && <small>{props.note}</small>}
			</span>
			<input
				type="checkbox"
				role="switch"
				checked={props.checked}
				aria-checked={props.checked}
				onChange={(e) => props.onChange(e.currentTarget.checked)}
			/>
			<i aria-hidden="true" />
		</label>
	);
}

/** A modal dialog; Escape and a click beside it close it. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren; class?: string }) {
	const ref = useRef<HTMLDialogElement>(null);
	const id = useId();
	useEffect(() => {
		const dialog = ref.current;
		dialog?.showModal();
		return () => dialog?.close();
	}, []);
	return (
		// biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, which the dialog does by itself
		<dialog
			ref={ref}
			class={`dialog ${props.class ?? ""}`}
			aria-labelledby={id}
			onClose={props.onClose}
			onClick={(e) => {
				if (e.target === ref.current) props.onClose();
			}}
		>
			<div class="dialog-body">
				<header>
					<h2 id={id}>{props.title}</h2>
					<IconButton icon="close" label="Close" onClick={props.onClose} />
				</header>
				{props.children}
			</div>
		</dialog>
	);
}

export function ThemeButton() {
	const names = { system: "as the system", light: "light", dark: "dark" } as const;
	const icons = { system: "monitor", light: "sun", dark: "moon" } as const;
	return <IconButton icon={icons[theme.value]} label={`Theme: ${names[theme.value]}`} onClick={nextTheme} />;
}

export function Spinner({ label }: { label: string }) {
	return (
		<output class="spinner" aria-label={label}>
			<i aria-hidden="true" />
		</output>
	);
}
