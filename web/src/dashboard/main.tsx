import "../styles/base.css";
import "../styles/dashboard.css";
import "../common/theme";
import { render } from "preact";
import { App } from "./app";

const root = document.getElementById("app");
if (root) render(<App />, root);
