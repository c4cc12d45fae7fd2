// The dashboard and the viewer of a running worker, in a real browser. e2e/browser_test.go
// starts the workers and says where they are:
//   BASE      a worker that asks for no token
//   LOCKED    one that does, TOKEN
//   FILES     a folder with scan.laz, ring.ply, broken.las
//   SLOW      address of a source that does not come until RELEASE is asked for
//   FOLDER    what `view` serves of a result
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { dropFiles, launch, openPage } from "./browser.mjs";

const env = (/** @type {string} */ name) => {
	const value = process.env[name];
	if (!value) throw new Error(`${name} is not set`);
	return value;
};
const base = env("BASE");
const file = (/** @type {string} */ name) => join(env("FILES"), name);

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
	browser = await launch();
});
after(() => browser.close());

/** The row of the newest job of that name. */
const row = (/** @type {import("playwright-core").Page} */ page, /** @type {string} */ name) =>
	page.locator("li.job").filter({ hasText: name }).first();

/** @param {import("playwright-core").Page} page */
async function dropAndStart(page, /** @type {string} */ name) {
	await page.locator(".live.on").waitFor(); // the page listens
	await dropFiles(page, [file(name)]);
	const dialog = page.getByRole("dialog", { name: "New job" });
	await dialog.getByText(name).first().waitFor();
	await dialog.getByRole("button", { name: "Start" }).click();
	await row(page, name).waitFor();
}

test("a scan is dropped, runs to its end live, and is seen", async () => {
	const w = await openPage(browser, base);
	const { page } = w;
	// What the bar shows over time tells that progress came by events.
	await page.evaluate(() => {
		/** @type {Set<number>} */
		const seen = new Set();
		Object.assign(window, { seen });
		new MutationObserver(() => {
			for (const p of document.querySelectorAll("li.job progress")) seen.add(/** @type {HTMLProgressElement} */ (p).value);
		}).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["value"] });
	});
	await dropAndStart(page, "scan.laz");
	await row(page, "scan.laz").getByText("Done").waitFor();
	const steps = await page.evaluate(() => /** @type {any} */ (window).seen.size);
	assert.ok(steps >= 2, `the bar moved ${steps} times`);
	await w.accessible();
	await row(page, "scan.laz").getByRole("link", { name: "View scan.laz" }).click();
	await page.waitForURL("**/view/*");
	await w.settled();
	const rgb = await w.picture("cloud");
	assert.ok(rgb.share > 0.1 && rgb.share < 0.8, `the cloud covers ${rgb.share}`);
	assert.ok(rgb.mean[1] > rgb.mean[2], `grass is greener than blue: ${rgb.mean}`);
	await w.accessible();

	// By height the low ground is blue or violet in Turbo.
	await page.getByLabel("Height", { exact: true }).check({ force: true });
	await page.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))));
	const height = await w.picture("height");
	assert.ok(Math.abs(height.mean[2] - rgb.mean[2]) > 15, `colours by height differ: ${rgb.mean} ${height.mean}`);

	// Without its eastern half there is less of it, whatever the perspective.
	await page.getByRole("tab", { name: "Section" }).click();
	await page.getByLabel("Cut the model").check({ force: true });
	await page.getByLabel("East").fill("0");
	await page.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))));
	const cut = await w.picture("section");
	assert.ok(cut.share < height.share * 0.8, `cut: ${cut.share} of ${height.share}`);
	await page.getByLabel("Cut the model").uncheck({ force: true });

	// The other forms of the same cloud cover the same part of the picture.
	await page.getByRole("tab", { name: "View" }).click();
	for (const [name, note] of [
		["Point cloud", "Entwine"],
		["3D Tiles", "tiles"],
		["Surface model", "DSM"],
	]) {
		await w.changed(() =>
			page
				.locator(".sources label")
				.filter({ hasText: note ?? "" })
				.filter({ hasText: name ?? "" })
				.click(),
		);
		const other = await w.picture(`form-${note}`);
		assert.ok(Math.abs(other.share - height.share) < 0.15, `${note}: ${other.share}, the cloud: ${height.share}`);
	}
	w.clean();
	await w.context.close();
});

test("a mesh: levels, shading, measuring, keys, a link that shows the same view", async () => {
	const w = await openPage(browser, base);
	const { page } = w;
	await dropAndStart(page, "ring.ply");
	await row(page, "ring.ply").getByText("Done").waitFor();
	await row(page, "ring.ply").getByRole("link", { name: "View ring.ply" }).click();
	await w.settled();
	const lit = await w.picture("mesh");
	assert.ok(lit.share > 0.05 && lit.share < 0.8 && lit.mean[0] > lit.mean[2] + 20, `a red ring: ${JSON.stringify(lit)}`);
	await page.getByLabel("Wires", { exact: true }).check({ force: true });
	await page.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))));
	const wires = await w.picture("wires");
	assert.ok(wires.mean[2] > wires.mean[0], `wires are blue: ${wires.mean}`);
	await page.getByLabel("Clay", { exact: true }).check({ force: true });

	// The ring is 2 m across: seen from above, its width is between two clicks.
	await page.locator("canvas").press("2");
	await page.getByRole("button", { name: "Measure a distance" }).click();
	const [left, right] = await page.evaluate(edges);
	await page.mouse.click(left.x, left.y);
	await page.mouse.click(right.x, right.y);
	await page.keyboard.press("Enter");
	await page.getByRole("tab", { name: "Measure" }).click();
	const measured = Number.parseFloat(await page.locator(".measurements dd").first().innerText());
	assert.ok(measured > 1.9 && measured < 2.02, `the ring is measured ${measured} m wide`);

	// Keys turn the view, and a link keeps it.
	await page.locator("canvas").press("ArrowLeft");
	await page.getByRole("button", { name: "Share" }).click();
	await page.getByRole("button", { name: "Make a link" }).click();
	const link = await page.getByLabel(/^Open to anyone/).inputValue();
	await w.accessible();
	const guest = await openPage(browser, link);
	await guest.settled();
	const [mine, theirs] = [await w.picture(), await guest.picture("shared")];
	assert.equal(
		await guest.page.locator(".overlay .label").innerText(),
		await w.page.locator(".overlay .label").first().innerText(),
	);
	assert.ok(theirs.share > 0.02 && Math.abs(theirs.mean[0] - theirs.mean[2]) < 60, `clay: ${JSON.stringify([mine, theirs])}`);
	guest.clean();
	const broken = await openPage(browser, link.replace(/share\/[^#]{8}/, "share/AAAAAAAA"));
	await broken.page.getByRole("alert").waitFor();
	broken.clean(/404|403|410/);
	w.clean();
	for (const c of [w, guest, broken]) await c.context.close();
});

/** Runs in the page: the outer edges of what is drawn along the middle row that it covers. */
function edges() {
	const svg = document.querySelector(".overlay");
	const canvas = document.querySelector("canvas");
	if (!svg || !canvas) throw new Error("there is no picture");
	const rect = canvas.getBoundingClientRect();
	const out = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
	if (!out) throw new Error("no canvas");
	return new Promise((resolve) => {
		requestAnimationFrame(() => {
			out.drawImage(canvas, 0, 0);
			const y = Math.round(canvas.height / 2);
			const { data } = out.getImageData(0, y, canvas.width, 1);
			const solid = [];
			for (let x = 0; x < canvas.width; x++) if ((data[x * 4 + 3] ?? 0) > 200) solid.push(x);
			const scale = rect.width / canvas.width;
			const at = (/** @type {number} */ x) => ({ x: rect.left + x * scale, y: rect.top + y * scale });
			resolve([at((solid[0] ?? 0) + 3), at((solid.at(-1) ?? 0) - 3)]);
		});
		// A frame is kept until the next one only: ask for one.
		canvas.dispatchEvent(new Event("webglcontextrestored"));
	});
}

test("a failure says why and what to do; search and filters find it", async () => {
	const w = await openPage(browser, base);
	const { page } = w;
	await dropAndStart(page, "broken.las");
	await row(page, "broken.las").getByText("Failed").waitFor();
	await page.getByLabel("Search jobs").fill("ring");
	await page.locator("li.job").filter({ hasText: "broken.las" }).waitFor({ state: "detached" });
	await page.getByLabel("Search jobs").fill("");
	await page.getByLabel("Failed", { exact: true }).check({ force: true });
	await row(page, "broken.las").waitFor();
	await page.locator("li.job").filter({ hasText: "ring.ply" }).waitFor({ state: "detached" });
	await page.getByRole("link", { name: "broken.las" }).first().press("Enter");
	await page.getByRole("region", { name: "What went wrong" }).waitFor();
	assert.match(await page.getByRole("region", { name: "What went wrong" }).innerText(), /What to do|will not help/);
	await w.accessible();
	await page.getByRole("button", { name: "Delete" }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await page.waitForURL(base + "/");
	await page.locator("li.job").filter({ hasText: "broken.las" }).waitFor({ state: "detached" });
	w.clean();
	await w.context.close();
});

test("a running job is cancelled, and tried again to its end", async () => {
	const w = await openPage(browser, base, { dark: true });
	const { page } = w;
	await page.getByRole("button", { name: "From a link" }).click();
	await page.getByLabel("Addresses of the source").fill(env("SLOW"));
	await page.getByRole("button", { name: "Start" }).click();
	const slow = row(page, "slow.laz");
	await slow.locator("progress").waitFor(); // it runs
	await slow.getByRole("button", { name: "Cancel slow.laz" }).click();
	await slow.getByText("Cancelled").waitFor();
	await fetch(env("RELEASE"));
	await slow.getByRole("button", { name: "Retry slow.laz" }).click();
	await slow.getByText("Done").waitFor();
	await page.goto(`${base}/system`);
	await page.getByRole("heading", { name: "Workers" }).waitFor();
	await w.accessible();
	w.clean();
	await w.context.close();
});

test("on a phone nothing is cut off, and a finger finds what it needs", async () => {
	const w = await openPage(browser, base, { phone: true });
	const { page } = w;
	await row(page, "scan.laz").waitFor();
	await w.fits();
	await w.accessible();
	const view = await row(page, "scan.laz").getByRole("link", { name: "View scan.laz" }).getAttribute("href");
	await row(page, "scan.laz").getByRole("link", { name: "scan.laz", exact: true }).tap();
	await page.getByRole("heading", { name: "Outputs" }).waitFor();
	await w.fits();
	await page.goto(base + view);
	await w.settled();
	await w.fits();
	const small = await w.picture("phone");
	assert.ok(small.share > 0.05, `the cloud covers ${small.share}`);
	await page.getByRole("button", { name: "Panel" }).tap();
	await page.getByRole("tab", { name: "View" }).waitFor();
	await w.fits();
	w.clean();
	await w.context.close();
});

test("who has no token is asked for one", async () => {
	const w = await openPage(browser, env("LOCKED"), { dark: true });
	const { page } = w;
	await page.getByLabel("Access token").fill("wrong");
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.getByText("This token is not known here.").waitFor();
	await w.accessible();
	await page.getByLabel("Access token").fill(env("TOKEN"));
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.getByText("No jobs yet").waitFor();
	await w.accessible();
	// What changes something goes with the cookie and the header of our pages.
	await dropAndStart(page, "broken.las");
	await row(page, "broken.las").getByText("Failed").waitFor();
	await page.reload();
	await row(page, "broken.las").waitFor();
	await page.getByRole("button", { name: /Sign out/ }).click();
	await page.getByLabel("Access token").waitFor();
	w.clean(/401/);
	await w.context.close();
});

test("view serves a folder, first picture soon", async () => {
	const w = await openPage(browser, env("FOLDER"));
	await w.settled();
	assert.ok((await w.picture("folder")).share > 0.05);
	const first = await w.page.evaluate(() => performance.getEntriesByName("first-picture")[0]?.startTime ?? Number.NaN);
	process.stdout.write(`first picture after ${first.toFixed(0)} ms\n`);
	await w.page.getByRole("tab", { name: "Info" }).click();
	await w.page.getByText("Reference system").waitFor();
	await w.accessible();
	w.clean();
	await w.context.close();
});
