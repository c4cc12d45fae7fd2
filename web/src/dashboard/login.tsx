import { useState } from "preact/hooks";
import { Problem } from "../common/api";
import { Logo } from "../common/icons";
import { login } from "./store";

/** Asks for a token. It is exchanged for a cookie that scripts cannot read, and kept nowhere. */
export function Login() {
	const [problem, setProblem] = useState<string>();
	const [busy, setBusy] = useState(false);
	const submit = async (e: SubmitEvent) => {
		e.preventDefault();
		const token = new FormData(e.target as HTMLFormElement).get("token");
		setBusy(true);
		setProblem(undefined);
		try {
			await login(String(token));
			const next = new URLSearchParams(location.search).get("next");
			if (next && /^\/(?!\/)/.test(next)) location.assign(next);
		} catch (error) {
			setProblem(
				error instanceof Problem && (error.status === 401 || error.status === 403)
					? "This token is not known here."
					: String(error instanceof Error ? error.message : error),
			);
		} finally {
			setBusy(false);
		}
	};
	return (
		<main class="center">
			<form class="login" onSubmit={submit}>
				<Logo size={44} />
				<h1>Sign in to Slate360</h1>
				<p class="muted">Use the access token of this worker or of your organisation.</p>
				<div class="field">
					<label for="token">Access token</label>
					<input
						id="token"
						name="token"
						type="password"
						class="input"
						required
						autoComplete="current-password"
						aria-describedby={problem ? "token-problem" : undefined}
						aria-invalid={problem ? true : undefined}
					/>
				</div>
				{problem && (
					<p id="token-problem" class="problem" role="alert">
						{problem}
					</p>
				)}
				<button type="submit" class="button primary" disabled={busy}>
					{busy ? "Signing in…" : "Sign in"}
				</button>
			</form>
		</main>
	);
}
