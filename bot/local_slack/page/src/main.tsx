import "slack-blocks-to-jsx/dist/style.css";
import "./page.css";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { keepListsOpen } from "./interactions";

const root = document.getElementById("root");
if (!root) throw new Error("The page has no element with the id root.");
keepListsOpen(root);
createRoot(root).render(<App />);
