import "../styles/base.css";
import "../styles/viewer.css";
import "../common/theme";
import { render } from "preact";
import { App } from "./ui/app";

const root = document.getElementById("app");
if (root) render(<App />, root);
