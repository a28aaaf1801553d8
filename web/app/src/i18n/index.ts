/** Languages: English of the first visit is in the first page; everything else is loaded when it is needed. */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";

import { first } from "./en/first";

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

let pagesWanted = false;

/** Adds texts of a language, with those of the pages once a page was opened. */
async function load(language: Language): Promise<void> {
  const parts =
    language === "fr"
      ? [import("./fr/first").then(({ first: texts }) => texts), ...(pagesWanted ? [import("./fr/pages").then(({ pages }) => pages)] : [])]
      : pagesWanted
        ? [import("./en/pages").then(({ pages }) => pages)]
        : [];
  for (const texts of await Promise.all(parts)) i18next.addResourceBundle(language, "translation", texts, true, true);
}

/** Loads what pages say, beside the page itself. */
export async function pageTexts(): Promise<void> {
  pagesWanted = true;
  await load(i18next.language as Language);
}

/** Loads a language's texts and uses them. */
export async function speak(language: Language): Promise<void> {
  await load(language);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  localStorage.setItem(KEY, language);
}

/** Starts the texts. */
export async function startTexts(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: "en",
    fallbackLng: "en",
    resources: { en: { translation: first } },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
    keySeparator: ".",
    showSupportNotice: false,
  });
  if (wanted() !== "en") await speak(wanted()).catch(() => undefined);
}
