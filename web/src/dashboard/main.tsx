import "../styles/base.css"; document.getElementById("app")!.textContent = "soon";
