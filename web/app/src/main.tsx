import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import { startTexts } from "./i18n";
import { AppProvider } from "./lib/app";
import "./style.css";

const root = document.getElementById("root");
if (root) {
  void startTexts().then(() =>
    createRoot(root).render(
      <StrictMode>
        <AppProvider>
          <App />
        </AppProvider>
      </StrictMode>,
    ),
  );
}
