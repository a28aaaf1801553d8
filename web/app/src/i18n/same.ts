/** The same groups and keys as another language, each with a text of its own. */
export type Same<T> = { [Group in keyof T]: { [Key in keyof T[Group]]: string } };
