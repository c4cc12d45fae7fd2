// The dashboard and the viewer of a running worker, in a real browser. e2e/browser_test.go
// starts the workers and says where they are:
//   BASE      a worker that asks for no token
//   LOCKED    one that does, TOKEN
//   FILES     a folder with scan.laz, ring.ply, broken.las, and a folder floor
//   SLOW      address of a source that does not come until RELEASE is asked for
//   FOLDER    what `view` serves of a result
//   PHOTOS    the same of a result that has cameras, PLACE is where the first stands
//   KTX2      the same of a square whose red texture is KTX2
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { dropFiles, launch, openPage } from "./browser.mjs";
import { between, Camera } from "./torus.mjs";

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
	await w.drawn();
	const height = await w.picture("height");
	assert.ok(Math.abs(height.mean[2] - rgb.mean[2]) > 15, `colours by height differ: ${rgb.mean} ${height.mean}`);

	// Without its eastern half there is less of it, whatever the perspective.
	await page.getByRole("tab", { name: "Section" }).click();
	await page.getByLabel("Cut the model").check({ force: true });
	await page.getByLabel("East").fill("0");
	await w.drawn();
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
		await page
			.locator(".sources label")
			.filter({ hasText: note ?? "" })
			.filter({ hasText: name ?? "" })
			.click();
		await w.settled();
		const other = await w.picture(`form-${note}`);
		assert.ok(Math.abs(other.share - height.share) < 0.15, `${note}: ${other.share}, the cloud: ${height.share}`);
	}
	w.clean();
	await w.context.close();
});

/** A link to the view as it is. @param {import("playwright-core").Page} page */
async function linkOf(page) {
	await page.getByRole("button", { name: "Share" }).click();
	const link = await page.getByLabel(/^(For people who can sign in here|Link to this view)$/).inputValue();
	await page.getByRole("button", { name: "Close" }).click();
	return link;
}

/** The canvas on the page, in CSS pixels. @param {import("playwright-core").Page} page */
async function canvasOf(page) {
	const box = await page.locator("canvas").boundingBox();
	assert.ok(box);
	return box;
}

test("a mesh: levels, shading, measuring, keys, a link that shows the same view", async () => {
	const w = await openPage(browser, base);
	const { page } = w;
	await dropAndStart(page, "ring.ply");
	await row(page, "ring.ply").getByText("Done").waitFor();
	await row(page, "ring.ply").getByRole("link", { name: "View ring.ply" }).click();
	await w.settled();
	const lit = await w.picture("mesh");
	assert.ok(lit.mean[0] > lit.mean[2] + 20, `a red ring: ${lit.mean}`);
	// What is seen of it is what geometry says of the camera, but for pixels at the edges.
	const canvas = await canvasOf(page);
	const home = new Camera(await linkOf(page), canvas);
	const wrong = lit.covered.filter((p) => (home.meets(p.x, p.y) !== undefined) !== p.is).length;
	assert.ok(wrong < 0.01 * lit.covered.length, `${wrong} of ${lit.covered.length} pixels are not as they must be`);
	assert.ok(lit.share > 0.15, `the ring covers ${lit.share}`);

	await page.getByLabel("Wires", { exact: true }).check({ force: true });
	await w.drawn();
	const wires = await w.picture("wires");
	assert.ok(wires.mean[2] > wires.mean[0], `wires are blue: ${wires.mean}`);
	await page.getByLabel("Clay", { exact: true }).check({ force: true });

	// What is measured from above is between the places that the rays of two clicks meet.
	await page.locator("canvas").press("2");
	const above = new Camera(await linkOf(page), canvas);
	await page.getByRole("button", { name: "Measure a distance" }).click();
	const [left, right] = [edge(above, 1), edge(above, -1)];
	for (const at of [left, right]) await page.mouse.click(canvas.x + at.x, canvas.y + at.y);
	await page.keyboard.press("Enter");
	await page.getByRole("tab", { name: "Measure" }).click();
	const measured = Number.parseFloat((await page.locator(".measurements dd").first().textContent()) ?? "");
	const want = between(left.place, right.place);
	assert.ok(Math.abs(measured - want) < 0.01 * want, `the ring is measured ${measured} m wide, and is ${want} there`);

	// So are heights from the side.
	await page.locator("canvas").press("1");
	await page.getByRole("button", { name: "Measure a height" }).click();
	const beside = new Camera(await linkOf(page), canvas);
	const ends = /** @type {const} */ ([
		[0, -1, 0.02],
		[0, 0.75, 0.25],
	]).map((place) => {
		const { x, y } = beside.sees([...place]);
		return { x: Math.round(x), y: Math.round(y), place: beside.meets(Math.round(x), Math.round(y)) };
	});
	for (const at of ends) await page.mouse.click(canvas.x + at.x, canvas.y + at.y);
	const [low, high] = ends.map((at) => at.place?.[2] ?? Number.NaN);
	const rise = Number.parseFloat((await page.locator(".measurements li").last().locator("dd").first().textContent()) ?? "");
	assert.ok(Math.abs(rise - (high - low)) < 0.01, `a height of ${rise} m is ${high - low}`);

	// The picture that is saved has the size of the view.
	const saving = page.waitForEvent("download");
	await page.getByRole("button", { name: "Save a picture" }).click();
	const saved = await saving;
	assert.equal(saved.suggestedFilename(), "ring.png");
	const png = await readFile(await saved.path());
	assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [canvas.width, canvas.height]);

	// Keys turn the view, and a link keeps it.
	await page.keyboard.press("Escape"); // puts the tool away
	await page.locator("canvas").press("ArrowLeft");
	await page.getByRole("button", { name: "Share" }).click();
	await page.getByRole("button", { name: "Make a link" }).click();
	const link = await page.getByLabel(/^Open to anyone/).inputValue();
	await w.accessible();
	const guest = await openPage(browser, link);
	await guest.settled();
	await page.getByRole("button", { name: "Close" }).click();
	const [mine, theirs] = [await w.picture(), await guest.picture("shared")];
	const label = (/** @type {typeof page} */ p) => p.locator(".overlay .label").first().textContent();
	assert.equal(await label(guest.page), await label(page));
	const other = mine.covered.filter((p, i) => p.is !== theirs.covered[i]?.is).length;
	assert.ok(other < 0.01 * mine.covered.length, `${other} of ${mine.covered.length} pixels differ from the view that was shared`);
	guest.clean();
	const broken = await openPage(browser, link.replace(/share\/[^#]{8}/, "share/AAAAAAAA"));
	await broken.page.getByRole("alert").waitFor();
	broken.clean(/404|403|410/);
	w.clean();
	for (const c of [w, guest, broken]) await c.context.close();
});

/**
 * The pixel of the middle row some pixels inside an edge of the ring, from the left
 * (1) or from the right (-1), and the place that is seen there.
 * @param {Camera} camera
 */
function edge(camera, /** @type {1 | -1} */ side) {
	const { width, height } = camera.canvas;
	const y = Math.floor(height / 2);
	for (let x = side > 0 ? 0 : Math.floor(width) - 1; x >= 0 && x < width; x += side) {
		const place = camera.meets(x, y) && camera.meets(x + 8 * side, y);
		if (place) return { x: x + 8 * side, y, place };
	}
	throw new Error("the ring is not in the middle row");
}

test("a folder is dropped, and its textures are found where they lie", async () => {
	const w = await openPage(browser, base);
	const { page } = w;
	await page.locator(".live.on").waitFor();
	await dropFiles(page, [file("floor")]);
	const dialog = page.getByRole("dialog", { name: "New job" });
	await dialog.getByText("floor/textures/red.png").waitFor();
	await dialog.getByRole("button", { name: "Start" }).click();
	await row(page, "floor").getByText("Done").waitFor();
	await row(page, "floor").getByRole("link", { name: "View floor" }).click();
	await w.settled();
	await page.getByLabel("Flat", { exact: true }).check({ force: true });
	await w.drawn();
	const { share, mean } = await w.picture("floor");
	assert.ok(share > 0.1 && mean[0] > 190 && mean[1] < 80 && mean[2] < 80, `a red floor: ${share} of ${mean}`);

	// It is 4 m wide: a square of 3 m in it has 9 m².
	await page.locator("canvas").press("2");
	const canvas = await canvasOf(page);
	const above = new Camera(await linkOf(page), canvas);
	await page.getByRole("button", { name: "Measure an area" }).click();
	for (const [x, y] of /** @type {const} */ ([
		[0.5, 0.5],
		[3.5, 0.5],
		[3.5, 3.5],
		[0.5, 3.5],
	])) {
		const at = above.sees([x, y, 0]);
		await page.mouse.click(canvas.x + at.x, canvas.y + at.y);
	}
	await page.keyboard.press("Enter");
	await page.getByRole("tab", { name: "Measure" }).click();
	const area = Number.parseFloat((await page.locator(".measurements dd").first().textContent()) ?? "");
	assert.ok(Math.abs(area - 9) < 0.1, `${area} m² of 9`);
	w.clean();
	await w.context.close();
});

test("a texture in KTX2 is seen, and nothing needs eval", async () => {
	const w = await openPage(browser, env("KTX2"));
	await w.settled();
	await w.page.getByLabel("Flat", { exact: true }).check({ force: true });
	await w.drawn();
	const { share, mean } = await w.picture("ktx2");
	assert.ok(share > 0.1 && mean[0] > 190 && mean[1] < 80 && mean[2] < 80, `a red square: ${share} of ${mean}`);
	w.clean();
	await w.context.close();
});

test("cameras stand where the photos were taken, and show them", async () => {
	const w = await openPage(browser, env("PHOTOS"));
	const { page } = w;
	await w.settled();
	await page.getByRole("switch", { name: /Cameras/ }).check({ force: true });
	await w.drawn();
	await w.picture("cameras");
	const canvas = await canvasOf(page);
	const camera = new Camera(await linkOf(page), canvas);
	const at = camera.sees(JSON.parse(env("PLACE"))); // of the photo from above
	await page.mouse.click(canvas.x + at.x, canvas.y + at.y);
	const photo = page.getByRole("dialog", { name: "above.jpg" });
	await photo.getByRole("img", { name: "above.jpg" }).waitFor();
	const size = await photo
		.getByRole("img")
		.evaluate((/** @type {HTMLImageElement} */ i) => i.decode().then(() => i.naturalWidth));
	assert.equal(size, 64);
	await w.accessible();
	await photo.getByRole("button", { name: "Next photo" }).click();
	await page.getByRole("dialog", { name: "aside.jpg" }).getByRole("button", { name: "Look from here" }).click();
	await page.getByRole("dialog").waitFor({ state: "detached" });
	const stands = new Camera(await linkOf(page), canvas);
	assert.ok(between(stands.position, [1.2, 0, 0.5]) < 0.01, `the view stands at ${stands.position}`);
	assert.ok(stands.forward[0] < -0.9, `and looks to ${stands.forward}`);
	w.clean();
	await w.context.close();
});

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
	assert.match((await page.getByRole("region", { name: "What went wrong" }).textContent()) ?? "", /What to do|will not help/);
	await w.accessible();
	await page.getByRole("button", { name: "Delete" }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await page.waitForURL(`${base}/`);
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
