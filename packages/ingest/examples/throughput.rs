//! Measures `clean` on one core: `cargo run -p openledger-ingest --example throughput`.
//! Prints megabytes (10^6 bytes of raw text) a second for several kinds of text, by the time that the
//! thread spent on its core where the system tells it, so that a busy machine does not blur it.

use std::time::{Duration, Instant};

use openledger_ingest::{clean, match_words, Options};

/// Raw text of each kind, and of each measurement.
const BYTES: usize = 16_000_000;

fn main() {
    let english = "The liver makes enzymes and filters the blood; symptoms vary from person to person. \
                   Ask a doctor (or call) before you change the dose of 25 mg, even if you feel well.\n";
    let french =
        "L’hépatite est une maladie du foie : la fièvre, la fatigue et l’ictère en sont les signes. \
                  Où qu’elle apparaisse, demandez l’avis d’un médecin avant d’arrêter le traitement.\n";
    let russian = "Печень очищает кровь и вырабатывает ферменты; симптомы у разных людей различны. \
                   Прежде чем менять дозу, посоветуйтесь с врачом, даже если вы чувствуете себя хорошо.\n";
    let chinese = "肝脏过滤血液并产生酶；症状因人而异。在改变剂量之前请咨询医生，即使您感觉良好。\n";
    let code =
        "    let total: u64 = rows.iter().map(|row| row.amount[0] as u64).sum(); // \"checked\" below\n";
    for (name, line) in
        [("english", english), ("french", french), ("russian", russian), ("chinese", chinese), ("code", code)]
    {
        for document_bytes in [2_000, 100_000] {
            measure(name, line, document_bytes);
        }
    }
}

fn measure(name: &str, line: &str, document_bytes: usize) {
    let mut documents = Vec::new();
    let mut total = 0;
    while total < BYTES {
        let mut document = String::with_capacity(document_bytes + line.len());
        while document.len() < document_bytes {
            // Numbers keep lines and documents distinct.
            document.push_str(&format!("{} ", total + document.len()));
            document.push_str(line);
        }
        total += document.len();
        documents.push(document);
    }
    let options = Options::default();
    let clock = Clock::start();
    let mut matched = Vec::new();
    for document in &documents {
        match clean(document.as_bytes(), &options) {
            Ok(cleaned) => matched.push(cleaned.match_text),
            Err(refusal) => println!("{name}: refused: {refusal}"),
        }
    }
    let cleaning = clock.seconds();
    let clock = Clock::start();
    let words: usize = matched.iter().map(|text| match_words(text).count()).sum();
    let splitting = clock.seconds();
    let megabytes = total as f64 / 1e6;
    println!(
        "{name:8} documents of {document_bytes:6} bytes: clean {:6.1} MB/s, match_words {:6.1} MB/s ({words} words)",
        megabytes / cleaning,
        megabytes / splitting
    );
}

/// Time on the core on Linux, elapsed time elsewhere.
struct Clock {
    core: Option<Duration>,
    elapsed: Instant,
}

impl Clock {
    fn start() -> Self {
        Clock { core: on_core(), elapsed: Instant::now() }
    }

    fn seconds(&self) -> f64 {
        match (self.core, on_core()) {
            (Some(before), Some(now)) => (now - before).as_secs_f64(),
            _ => self.elapsed.elapsed().as_secs_f64(),
        }
    }
}

fn on_core() -> Option<Duration> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    schedstat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
