//! The simulation held against a network: what has to be equal, what may differ, and why. Pure.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::setting::Outcome;
use crate::report::number;

/// What one side says of the same sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// Answers that were settled.
    pub answers: u64,
    /// Transactions of each kind, and their gas.
    pub kinds: BTreeMap<Kind, (u64, u64)>,
    /// Blocks from the wish to close to the settlement, for each session.
    pub settling: Vec<u64>,
    /// Blocks from a root to its finality, for each root.
    pub finality: Vec<u64>,
    /// Answers computed again by all auditors together.
    pub replays: u64,
    /// Bytes of a receipt in the receipts' blob.
    pub receipt_bytes: f64,
    /// Roots that are void, and cases that were opened.
    pub faults: u64,
}

impl Side {
    /// The simulation's.
    pub fn simulated(outcome: &Outcome, receipt_bytes: f64) -> Self {
        Side {
            answers: outcome.settled.round() as u64,
            kinds: outcome.kinds.clone(),
            settling: outcome.settling.clone(),
            finality: outcome.finality.clone(),
            replays: outcome.replays,
            receipt_bytes,
            faults: outcome.punished,
        }
    }

    fn count(&self, kind: Kind) -> f64 {
        self.kinds.get(&kind).map_or(0.0, |(count, _)| *count as f64)
    }

    /// Gas of a kind for each answer.
    fn gas(&self, kind: Kind) -> f64 {
        self.kinds.get(&kind).map_or(0.0, |(_, gas)| *gas as f64 / self.answers.max(1) as f64)
    }
}

/// How far the measured figure may be from the simulated one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    /// Not at all.
    Equal,
    /// By this least and this most quotient.
    Ratio(f64, f64),
    /// Not before it, and at most so many blocks later.
    Later(f64),
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What.
    pub quantity: String,
    /// As simulated.
    pub simulated: f64,
    /// As measured.
    pub measured: f64,
    /// How far apart they may be.
    pub allowed: Allowed,
}

impl Row {
    /// Measured by simulated; none where nothing was simulated.
    pub fn ratio(&self) -> Option<f64> {
        (self.simulated != 0.0).then(|| self.measured / self.simulated)
    }

    /// Whether the two are as near as they have to be.
    pub fn holds(&self) -> bool {
        let Row { simulated, measured, .. } = self;
        match (self.allowed, self.ratio()) {
            (Allowed::Equal, _) => simulated == measured,
            (Allowed::Ratio(least, most), Some(ratio)) => (least..=most).contains(&ratio),
            (Allowed::Ratio(..), None) => *measured == 0.0,
            (Allowed::Later(blocks), _) => (*simulated..=simulated + blocks).contains(measured),
        }
    }
}

/// Gas of one transaction: trees here have other heights than those of the page of gas.
const GAS: Allowed = Allowed::Ratio(0.8, 1.2);
/// Gas of an attestation: the page's is of the only auditor, which takes the snapshot and reaches the quorum.
const ATTEST: Allowed = Allowed::Ratio(0.5, 1.1);
/// Bytes of a receipt: its shares are as many as an answer cites.
const BYTES: Allowed = Allowed::Ratio(0.7, 1.3);
/// Answers computed again: an auditor whose fetch broke off begins its root anew.
const AGAIN: Allowed = Allowed::Ratio(1.0, 1.1);

/// The lines of the table. `late` are the blocks by which a node may be late with one message; `full` says that all
/// answers are computed again, so that nothing of it is drawn.
pub fn rows(simulated: &Side, measured: &Side, late: f64, full: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |quantity: String, simulated: f64, measured: f64, allowed| {
        rows.push(Row { quantity, simulated, measured, allowed });
    };
    add("answers settled".into(), simulated.answers as f64, measured.answers as f64, Allowed::Equal);
    for kind in Kind::ALL {
        let quantity = format!("transactions `{}`", kind.action());
        add(quantity, simulated.count(kind), measured.count(kind), Allowed::Equal);
    }
    for kind in Kind::ALL.into_iter().filter(|kind| simulated.count(*kind) + measured.count(*kind) > 0.0) {
        let allowed = if kind == Kind::Attest { ATTEST } else { GAS };
        let quantity = format!("gas of `{}` for an answer", kind.action());
        add(quantity, simulated.gas(kind), measured.gas(kind), allowed);
    }
    let all = |side: &Side| Kind::ALL.into_iter().map(|kind| side.gas(kind)).sum::<f64>();
    add("gas of all these for an answer".into(), all(simulated), all(measured), GAS);
    // A root that is late keeps the next settlement of its node waiting too.
    let settling = (mean(&simulated.settling), mean(&measured.settling));
    add(
        "blocks from the wish to close to the settlement, mean".into(),
        settling.0,
        settling.1,
        Allowed::Later(2.0 * late),
    );
    let finality = (mean(&simulated.finality), mean(&measured.finality));
    add("blocks from the settlement to finality, mean".into(), finality.0, finality.1, Allowed::Later(late));
    add("bytes of a receipt".into(), simulated.receipt_bytes, measured.receipt_bytes, BYTES);
    let again = |side: &Side| side.replays as f64 / side.answers.max(1) as f64;
    // What is drawn varies: four standard deviations of a sum of rare draws.
    let allowed = match simulated.replays {
        _ if full => AGAIN,
        drawn => {
            let wide = 4.0 / (drawn.max(1) as f64).sqrt();
            Allowed::Ratio((1.0 - wide).max(0.0), 1.1 + wide)
        }
    };
    add("times an answer was computed again".into(), again(simulated), again(measured), allowed);
    add("roots void, cases opened".into(), simulated.faults as f64, measured.faults as f64, Allowed::Equal);
    rows
}

fn mean(blocks: &[u64]) -> f64 {
    blocks.iter().sum::<u64>() as f64 / blocks.len().max(1) as f64
}

/// The table.
pub fn table(rows: &[Row]) -> String {
    let mut text =
        "| quantity | simulated | measured | ratio | allowed |\n| --- | ---: | ---: | ---: | --- |\n"
            .to_string();
    for row in rows {
        let ratio = row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let allowed = match row.allowed {
            Allowed::Equal => "equal".into(),
            Allowed::Ratio(least, most) => format!("{least:.2} to {most:.2}"),
            Allowed::Later(blocks) => format!("{} blocks later", number(blocks)),
        };
        let missed = if row.holds() { "" } else { ", **missed**" };
        let (simulated, measured) = (number(row.simulated), number(row.measured));
        text.push_str(&format!(
            "| {} | {simulated} | {measured} | {ratio} | {allowed}{missed} |\n",
            row.quantity
        ));
    }
    text
}

/// The lines that do not hold, in words.
pub fn faults(rows: &[Row]) -> Vec<String> {
    let say = |row: &Row| {
        format!("{}: {} simulated, {} measured", row.quantity, number(row.simulated), number(row.measured))
    };
    rows.iter().filter(|row| !row.holds()).map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sessions with four answers each, one root each, four auditors.
    fn side() -> Side {
        let counts = [2, 2, 2, 2, 2, 2, 8, 0, 4, 4];
        let kinds = Kind::ALL.into_iter().zip(counts).map(|(kind, count)| (kind, (count, count * 200_000)));
        Side {
            answers: 8,
            kinds: kinds.filter(|(_, (count, _))| *count > 0).collect(),
            settling: vec![1, 23],
            finality: vec![21, 21],
            replays: 32,
            receipt_bytes: 1_500.0,
            faults: 0,
        }
    }

    fn missed(change: impl Fn(&mut Side)) -> Vec<String> {
        let mut measured = side();
        change(&mut measured);
        faults(&rows(&side(), &measured, 6.0, true))
    }

    #[test]
    fn what_is_as_simulated_holds() {
        assert_eq!(missed(|_| {}), Vec::<String>::new());
        assert_eq!(missed(|s| s.finality = vec![27, 27]), Vec::<String>::new(), "a node is late by its tick");
        assert_eq!(missed(|s| s.receipt_bytes = 1_200.0), Vec::<String>::new());
        assert_eq!(
            missed(|s| s.replays = 33),
            Vec::<String>::new(),
            "an answer after a fetch that broke off"
        );
    }

    #[test]
    fn a_count_that_differs_by_one_is_a_fault() {
        for kind in Kind::ALL {
            let found = missed(|s| s.kinds.entry(kind).or_default().0 += 1);
            assert!(found.iter().any(|line| line.contains(kind.action())), "{kind:?}: {found:?}");
        }
        assert_eq!(missed(|s| s.faults = 1).len(), 1);
        assert!(!missed(|s| s.answers = 7).is_empty());
    }

    #[test]
    fn what_leaves_its_tolerance_is_a_fault() {
        let dearer = |kind, percent: u64| {
            missed(move |s: &mut Side| {
                let (_, gas) = s.kinds.entry(kind).or_default();
                *gas = *gas * percent / 100;
            })
        };
        assert_eq!(dearer(Kind::Settle, 119), Vec::<String>::new());
        assert_eq!(dearer(Kind::Settle, 121).len(), 1);
        assert_eq!(dearer(Kind::Settle, 79).len(), 1);
        // An attestation of four auditors costs less than that of the only one, and not less than half.
        assert_eq!(dearer(Kind::Attest, 60), Vec::<String>::new());
        assert_eq!(dearer(Kind::Attest, 45).len(), 1, "the sum of all still holds");
        assert_eq!(missed(|s| s.finality = vec![28, 28]).len(), 1);
        assert_eq!(missed(|s| s.finality = vec![20, 20]).len(), 1, "before its window was over");
        assert_eq!(missed(|s| s.settling = vec![1, 48]).len(), 1);
        assert_eq!(missed(|s| s.replays = 31).len(), 1, "a trial computes all");
        assert_eq!(missed(|s| s.replays = 36).len(), 1);
        assert_eq!(missed(|s| s.receipt_bytes = 2_000.0).len(), 1);
    }

    #[test]
    fn what_is_drawn_may_vary_and_what_was_not_simulated_may_not_happen() {
        let (mut one, mut two) = (side(), side());
        (one.answers, one.replays) = (800, 40);
        (two.answers, two.replays) = (800, 55);
        let again = |one: &Side, two: &Side, full| {
            let row = rows(one, two, 6.0, full).into_iter().find(|row| row.quantity.contains("again"));
            row.is_some_and(|row| row.holds())
        };
        assert!(again(&one, &two, false) && !again(&one, &two, true));
        two.replays = 100;
        assert!(!again(&one, &two, false));
        let row = Row { quantity: "x".into(), simulated: 0.0, measured: 1.0, allowed: GAS };
        assert!(!row.holds() && Row { measured: 0.0, ..row }.holds());
    }

    #[test]
    fn the_table_marks_what_was_missed() {
        let mut measured = side();
        measured.kinds.insert(Kind::Refund, (1, 200_000));
        let text = table(&rows(&side(), &measured, 6.0, true));
        assert!(text.contains("| transactions `refund` | 2 | 1 | 0.50 | equal, **missed** |"), "{text}");
        assert!(text.contains("| transactions `open_session` | 2 | 2 | 1.00 | equal |"));
        assert!(text.contains("| transactions `claim_audit` | 0 | 0 |  | equal |"));
    }
}
