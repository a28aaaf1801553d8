//! Characters that look like an ASCII character, and the ASCII character that match text puts in
//! their place.
//!
//! The pairs are facts taken from Unicode Technical Standard 39, file `confusables.txt` version
//! 17.0.0, made to fit case folding: a letter is folded when its small *or* its capital form has an
//! ASCII look-alike, so that `ВОДА` and `вода` still give one match text. Where the two forms
//! resemble different letters the small one decides (Greek `ν` is `v`, although `Ν` looks like
//! `N`). Digits of other scripts keep their value and are left alone; so are `0`/`O` and `1`/`l`/`I`,
//! which would damage numbers and code. Added to the standard's list, as typographic variants that
//! change with an editor: double quotation marks to `"`, all dashes to `-`, and the small capitals
//! `ĸ ᴋ ᴍ ᴛ`.

/// (look-alike, ASCII), sorted. Every ASCII image is its own fold, so folding twice changes nothing.
#[rustfmt::skip]
pub(crate) const CONFUSABLES: &[(char, char)] = &[
    ('\u{D7}', 'x'), ('\u{131}', 'i'), ('\u{138}', 'k'), ('\u{1BD}', 's'), ('\u{1BF}', 'p'),
    ('\u{1C0}', 'l'), ('\u{1C3}', '!'), ('\u{251}', 'a'), ('\u{261}', 'g'), ('\u{263}', 'y'),
    ('\u{269}', 'i'), ('\u{26A}', 'i'), ('\u{26F}', 'w'), ('\u{28B}', 'u'), ('\u{28F}', 'y'),
    ('\u{2B9}', '\''), ('\u{2BB}', '\''), ('\u{2BC}', '\''), ('\u{2BD}', '\''), ('\u{2BE}', '\''),
    ('\u{2C8}', '\''), ('\u{2D0}', ':'), ('\u{2D7}', '-'), ('\u{2F8}', ':'), ('\u{3B1}', 'a'),
    ('\u{3B2}', 'b'), ('\u{3B3}', 'y'), ('\u{3B5}', 'e'), ('\u{3B6}', 'z'), ('\u{3B7}', 'h'),
    ('\u{3B9}', 'i'), ('\u{3BA}', 'k'), ('\u{3BC}', 'm'), ('\u{3BD}', 'v'), ('\u{3BF}', 'o'),
    ('\u{3C1}', 'p'), ('\u{3C3}', 'o'), ('\u{3C4}', 't'), ('\u{3C5}', 'u'), ('\u{3C7}', 'x'),
    ('\u{3DD}', 'f'), ('\u{3F3}', 'j'), ('\u{3F8}', 'p'), ('\u{3FB}', 'm'), ('\u{430}', 'a'),
    ('\u{432}', 'b'), ('\u{435}', 'e'), ('\u{43A}', 'k'), ('\u{43C}', 'm'), ('\u{43D}', 'h'),
    ('\u{43E}', 'o'), ('\u{440}', 'p'), ('\u{441}', 'c'), ('\u{442}', 't'), ('\u{443}', 'y'),
    ('\u{445}', 'x'), ('\u{44C}', 'b'), ('\u{455}', 's'), ('\u{456}', 'i'), ('\u{458}', 'j'),
    ('\u{461}', 'w'), ('\u{475}', 'v'), ('\u{4AF}', 'y'), ('\u{4BB}', 'h'), ('\u{4BD}', 'e'),
    ('\u{4CF}', 'l'), ('\u{501}', 'd'), ('\u{50D}', 'g'), ('\u{51B}', 'q'), ('\u{51D}', 'w'),
    ('\u{55A}', '\''), ('\u{561}', 'w'), ('\u{563}', 'q'), ('\u{570}', 'h'), ('\u{578}', 'n'),
    ('\u{57C}', 'n'), ('\u{57D}', 'u'), ('\u{581}', 'g'), ('\u{582}', 'i'), ('\u{584}', 'f'),
    ('\u{585}', 'o'), ('\u{589}', ':'), ('\u{5C3}', ':'), ('\u{5F3}', '\''), ('\u{166E}', 'x'),
    ('\u{1D04}', 'c'), ('\u{1D0B}', 'k'), ('\u{1D0D}', 'm'), ('\u{1D0F}', 'o'), ('\u{1D11}', 'o'),
    ('\u{1D1B}', 't'), ('\u{1D1C}', 'u'), ('\u{1D20}', 'v'), ('\u{1D21}', 'w'), ('\u{1D22}', 'z'),
    ('\u{1D26}', 'r'), ('\u{1D83}', 'g'), ('\u{1D8C}', 'y'), ('\u{1E9D}', 'f'), ('\u{1EFF}', 'y'),
    ('\u{2010}', '-'), ('\u{2012}', '-'), ('\u{2013}', '-'), ('\u{2014}', '-'), ('\u{2015}', '-'),
    ('\u{2018}', '\''), ('\u{2019}', '\''), ('\u{201A}', ','), ('\u{201B}', '\''), ('\u{201C}', '"'),
    ('\u{201D}', '"'), ('\u{201E}', '"'), ('\u{201F}', '"'), ('\u{2032}', '\''), ('\u{2035}', '\''),
    ('\u{2039}', '<'), ('\u{203A}', '>'), ('\u{2043}', '-'), ('\u{2044}', '/'), ('\u{204E}', '*'),
    ('\u{2053}', '~'), ('\u{2212}', '-'), ('\u{2215}', '/'), ('\u{2216}', '\\'), ('\u{2217}', '*'),
    ('\u{2236}', ':'), ('\u{223C}', '~'), ('\u{A647}', 'i'), ('\u{A731}', 's'), ('\u{A789}', ':'),
    ('\u{A78C}', '\''), ('\u{A799}', 'f'), ('\u{A79F}', 'u'), ('\u{A7B5}', 'b'), ('\u{AB32}', 'e'),
    ('\u{AB35}', 'f'), ('\u{AB3D}', 'o'), ('\u{AB47}', 'r'), ('\u{AB48}', 'r'), ('\u{AB4E}', 'u'),
    ('\u{AB52}', 'u'), ('\u{AB5A}', 'y'),
];
