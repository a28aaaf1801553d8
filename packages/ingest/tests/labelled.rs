//! Secrets and personal data on a labelled set that is generated here: what should be found, and what looks
//! like it and should not. Put together from parts, so that this file holds no secret.

use openledger_ingest::{clean, Options, Refusal};

/// Texts of each label.
const EACH: u64 = 200;

/// SplitMix64: the same set on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    fn random(&mut self, alphabet: &str, len: usize) -> String {
        (0..len).map(|_| alphabet.as_bytes()[self.below(alphabet.len() as u64) as usize] as char).collect()
    }
}

const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &str = "0123456789abcdef";
const DIGITS: &str = "0123456789";

fn around(numbers: &mut Numbers, part: &str) -> String {
    let before = numbers.pick(&[
        "The harbour lies north of the old town.",
        "Version two is described below.",
        "Notes:",
    ]);
    let after =
        numbers.pick(&["Nothing else is known about it.", "See the next chapter.", "End of the list."]);
    format!("{before} The readers of this text are many.\n{part}\n{after}\n")
}

fn secret(numbers: &mut Numbers) -> String {
    match numbers.below(6) {
        0 => format!("key {}{}", "AKIA", numbers.random(UPPER, 16)),
        1 => format!("token {}{}", "ghp_", numbers.random(ALNUM, 36)),
        2 => format!("AI{}{}", "zaSy", numbers.random(ALNUM, 33)),
        3 => format!("{}live_{}", "sk_", numbers.random(ALNUM, 24)),
        4 => format!("api_key = \"{}\"", numbers.random(ALNUM, 32)),
        _ => {
            let body = numbers.random(ALNUM, 64);
            format!("-----BEGIN {0} KEY-----\n{body}\n{body}\n-----END {0} KEY-----", "PRIVATE")
        }
    }
}

fn no_secret(numbers: &mut Numbers) -> String {
    match numbers.below(7) {
        0 => format!("sha256 {}", numbers.random(HEX, 64)),
        1 => format!("commit {}", numbers.random(HEX, 40)),
        2 => "api_key = \"YOUR_API_KEY_HERE\"".into(),
        3 => "password = os.environ[\"DATABASE_PASSWORD\"]".into(),
        4 => format!("let token = parser.next_token({});", numbers.below(100)),
        5 => "secret_name: projects/demo/secrets/database".into(),
        _ => format!("the tokens {} and {} follow", numbers.random(DIGITS, 6), numbers.random(DIGITS, 8)),
    }
}

fn personal(numbers: &mut Numbers) -> String {
    let name = numbers.pick(&["ada", "grace.h", "l_torvalds", "j-smith", "mary+list"]);
    let digits = |n: &mut Numbers, len| n.random(DIGITS, len);
    match numbers.below(5) {
        0 => format!("write to {name}{}{}.org", "@", numbers.pick(&["example", "mail.example", "post-box"])),
        1 => format!("<{name}{}uni-city.edu>", "@"),
        2 => format!("call +49 {} {}", 100 + numbers.below(800), digits(numbers, 7)),
        3 => format!("phone ({}) 555-{}", 200 + numbers.below(700), digits(numbers, 4)),
        _ => format!("tel. {}-{}-{}", 200 + numbers.below(700), digits(numbers, 3), digits(numbers, 4)),
    }
}

fn no_personal(numbers: &mut Numbers) -> String {
    match numbers.below(6) {
        0 => format!("version {}.{}.{}", numbers.below(9), numbers.below(20), numbers.below(90)),
        1 => format!(
            "on {}-{:02}-{:02}",
            1900 + numbers.below(120),
            1 + numbers.below(12),
            1 + numbers.below(28)
        ),
        2 => "the decorator @property and @staticmethod".into(),
        3 => format!("address 192.168.{}.{}", numbers.below(255), numbers.below(255)),
        4 => format!("{} people and {} houses", numbers.below(90_000), numbers.below(9_000)),
        _ => format!("ISBN {}", numbers.random(DIGITS, 13)),
    }
}

/// (recall, precision) of `found` over the texts.
fn measure(
    positive: fn(&mut Numbers) -> String,
    negative: fn(&mut Numbers) -> String,
    found: impl Fn(&str) -> bool,
) -> (f64, f64) {
    let mut numbers = Numbers(1);
    let (mut hits, mut alarms) = (0u64, 0u64);
    for _ in 0..EACH {
        let part = positive(&mut numbers);
        let text = around(&mut numbers, &part);
        let hit = found(&text);
        if !hit {
            println!("missed: {part:?}");
        }
        hits += u64::from(hit);
        let part = negative(&mut numbers);
        let text = around(&mut numbers, &part);
        let alarm = found(&text);
        if alarm {
            println!("false alarm: {part:?}");
        }
        alarms += u64::from(alarm);
    }
    (hits as f64 / EACH as f64, hits as f64 / (hits + alarms).max(1) as f64)
}

#[test]
fn secrets_are_refused() {
    let refused =
        |text: &str| matches!(clean(text.as_bytes(), &Options::default()), Err(Refusal::Secret { .. }));
    let (recall, precision) = measure(secret, no_secret, refused);
    println!("secrets: recall {recall:.3}, precision {precision:.3}");
    assert!(recall >= 0.98 && precision >= 0.95, "recall {recall}, precision {precision}");
}

#[test]
fn personal_data_is_masked() {
    let masked =
        |text: &str| clean(text.as_bytes(), &Options::default()).is_ok_and(|c| !c.personal.is_empty());
    let (recall, precision) = measure(personal, no_personal, masked);
    println!("personal data: recall {recall:.3}, precision {precision:.3}");
    assert!(recall >= 0.95 && precision >= 0.90, "recall {recall}, precision {precision}");
}

#[test]
fn what_is_masked_is_gone_and_the_rest_stays() -> Result<(), Refusal> {
    let text = format!("Ask ada{}example.org or call +49 221 1234567, please; the harbour is old.", "@");
    let cleaned = clean(text.as_bytes(), &Options::default())?;
    assert_eq!(cleaned.content, "Ask [e-mail] or call [phone], please; the harbour is old.");
    assert_eq!((cleaned.personal.emails, cleaned.personal.phones), (1, 1));
    Ok(())
}
