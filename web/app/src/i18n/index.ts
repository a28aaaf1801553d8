/** Languages: English is in the first page, others are loaded when chosen. */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";

import { en } from "./en";

/** Languages that the app speaks, by their own names. */
export const LANGUAGES = { en: "English", fr: "Français" } as const;

/** One of them. */
export type Language = keyof typeof LANGUAGES;

const KEY = "openledger.language";

function wanted(): Language {
  const stored = localStorage.getItem(KEY);
  const first = stored ?? navigator.language.slice(0, 2);
  return first in LANGUAGES ? (first as Language) : "en";
}

/** Loads a language's texts and uses them. */
export async function speak(language: Language): Promise<void> {
  if (language === "fr" && !i18next.hasResourceBundle("fr", "translation")) {
    const { fr } = await import("./fr");
    i18next.addResourceBundle("fr", "translation", fr);
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  localStorage.setItem(KEY, language);
}

/** Starts the texts. */
export async function startTexts(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: "en",
    fallbackLng: "en",
    resources: { en: { translation: en } },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
    keySeparator: ".",
    showSupportNotice: false,
  });
  if (wanted() !== "en") await speak(wanted()).catch(() => undefined);
}
