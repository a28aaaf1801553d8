//! `docs/simulation.md`.

use super::Simulation;
use crate::marks::Marks;
use crate::report::{number, Report};

/// Between which the page says how the simulation was held against a network.
pub const HELD: Marks =
    Marks { begin: "<!-- figures: scripts/bench simulate --check -->", end: "<!-- end of figures -->" };

/// The page with everything that was simulated. What an older one says of the check against a network stays.
pub fn render(report: &Report, simulation: &Simulation, seed: u64, older: &str) -> String {
    let held = HELD.inside(older).unwrap_or("\nNot run yet.\n");
    let Some(base) = simulation.scenarios.first() else { return String::new() };
    let (s, work, gas) = (&base.setting, &simulation.work, &simulation.gas);
    let mut text = format!(
        "# The network at scale

A discrete-event simulation. Written by

```
scripts/bench simulate --write
```

from seed {seed}; the same seed gives the same figures on every machine, but for the CPU time of a receipt's check,
which is measured in the run ({:.2} ms on {}). Code: `bench/src/simulate`.

{} nodes, {} auditors of equal weight, {} answers a day in sessions of {} answers over a day;
blocks of {} seconds that hold {} gas; {} days after a run-in. Windows are the protocol's
(`packages/types/src/profile.rs`). An auditor spares {} cores and {} MB/s. Gas is that of [gas.md](gas.md), the time of an answer (20 tokens read, 100 written) and of its
replay that of [performance.md](performance.md), on a processor with a tile unit (path `amx`): {:.3} CPU-seconds, and {} of
that. A receipt has {} bytes. {}

",
        work.check * 1e3,
        report.host.cpu,
        number(s.nodes as f64),
        s.auditors,
        number(s.answers_per_day),
        number(s.answers_per_session),
        s.block_seconds,
        number(s.block_gas as f64),
        s.days,
        s.auditor_cores,
        s.auditor_bandwidth / 1e6,
        work.generate,
        work.replay_share,
        number(work.receipt_bytes),
        match gas.claim {
            Some(_) => "Auditors claim their pay of each root, clients withdraw each refund.",
            None => "Clients withdraw each refund; auditors' claims are left out.",
        },
    );
    let rows: [(&str, &str, f64); 13] = [
        ("block_gas_share", "part of the blocks' gas, %", 100.0),
        ("gas_per_answer", "gas of an answer, all transactions", 1.0),
        ("transactions_per_second", "transactions a second", 1.0),
        ("wait_p99", "blocks until 99 of 100 transactions are taken", 1.0),
        ("left_waiting", "transactions waiting at the end", 1.0),
        ("final_p50", "hours from an answer to its finality, median", 1.0),
        ("final_p99", "the same, 99 of 100", 1.0),
        ("unpaid_share", "answers that no root could settle in time, %", 100.0),
        ("audit_share", "audits, % of the CPU time of answers", 100.0),
        ("auditor_bytes_per_second", "an auditor fetches, MB/s", 1e-6),
        ("largest_root", "receipts of the largest root, MB", 1.0),
        ("unattested_share", "roots without a quorum in their window, %", 100.0),
        ("punished", "honest nodes and auditors punished", 1.0),
    ];
    let names: Vec<&str> = simulation.scenarios.iter().map(|scenario| scenario.name).collect();
    text.push_str(&format!("| | {} |\n| --- |{}\n", names.join(" | "), " ---: |".repeat(names.len())));
    let figure = |name: &str, what: &str| report.figure(&format!("{name}.{what}")).map(|found| found.ours);
    for (what, label, factor) in rows {
        let cells: Vec<String> = names
            .iter()
            .map(|name| figure(name, what).map_or(String::new(), |value| number(value * factor)))
            .collect();
        text.push_str(&format!("| {label} | {} |\n", cells.join(" | ")));
    }
    text.push_str(
        "\nA delay of 0 hours means that no root of the days counted became final. An auditor that misses three roots in \
         a row is punished and does not come back. Windows are counted when they end, roots when they are posted: the part of \
         those without a quorum may pass 100.\n\nWhere the blocks' gas is used up, messages wait for hours, roots miss their \
         windows, and the lines after it say what the chain carries, not what nodes answer. Sessions with more answers ask \
         less of it; so do auditors with a higher `least_claim`.\n",
    );
    text.push_str("\nWhat is different in each:\n\n");
    for scenario in &simulation.scenarios {
        text.push_str(&format!("- `{}`: {}\n", scenario.name, scenario.what));
    }
    text.push_str(
        "\n## Cheaters\n\nOf the nodes that had at least 1,000 answers in their first root. The profit is in fees of an \
         answer: what cheated answers saved, less the cut of a bond that covers twice the largest root (F5).\n\n\
         | scenario | cheaters | caught at their first root, % | profit of a cheater |\n| --- | ---: | ---: | ---: |\n",
    );
    for name in &names {
        if let (Some(cheaters), Some(caught), Some(profit)) =
            (figure(name, "cheaters"), figure(name, "caught_share"), figure(name, "profit_per_cheater"))
        {
            let line = [number(cheaters), number(caught * 100.0), number(profit)].join(" | ");
            text.push_str(&format!("| `{name}` | {line} |\n"));
        }
    }
    let replays = |share: f64| f64::from(s.rate_bps) / 100.0 * share;
    let checks = 100.0 * s.auditors as f64 * work.check / work.generate;
    text.push_str(&format!(
        "
## What audits cost

Of the CPU time of an answer that is settled, this part goes into computing answers again ({} basis points of them) and
into {} auditors' checks of its receipt:

| processor of node and auditor | a replay, by its answer | replays, % | checks, % | together, % |
| --- | ---: | ---: | ---: | ---: |
| with a tile unit (AMX), as simulated | {} | {} | {checks} | {} |
| without one (AVX-512) | {} | {} | {checks} | {} |

Both shares are `replay_share` and `replay_share_without_amx` of performance.md; the check's is by an answer's time
with AMX: without it an answer takes longer, and the check's part is smaller. The first table's line is over all answers,
those too that no root settled. One percent at this rate asks for a replay that costs {:.2} of an answer or less, and for checks by fewer:
docs/adr/0032 says why each auditor checks each receipt. Beyond a node's first roots an operator may choose a lower rate;
docs/adr/0033 says what it finds.
",
        s.rate_bps,
        s.auditors,
        work.replay_share,
        number(replays(work.replay_share)),
        number(replays(work.replay_share) + checks),
        work.replay_share_without,
        number(replays(work.replay_share_without)),
        number(replays(work.replay_share_without) + checks),
        100.0 / f64::from(s.rate_bps),
        checks = number(checks),
    ));
    text.push_str(&format!(
        "
## One transaction per answer, for comparison

At {} gas each, {} answers a day would need {} gas in every block.

## What is assumed

- Sessions arrive at random over the day, live for an exponential time, and close at their end. A client takes
  another node where one is away; no session moves in its middle.
- A client does not wait for the settlement before it closes: the two minutes of `openledger session close` are short
  beside the windows.
- A node settles sessions that end, then those that were not settled for {} blocks, the older first, at most {} in a root, one
  unfinished root at a time, no sooner than an epoch after the last; it makes each root final by a message of its own.
- Every auditor fetches every root and checks every receipt; {} basis points of the answers are computed again, each
  by an auditor that its seed draws. The rate of a node under trial, and of one with much at risk, is not simulated.
- A cheated answer that is computed again is found (class `exact`); a node is convicted where honest auditors have
  the quorum: one that contests the prompt's tokens is judged by votes.
- {} of contributors, contributions, payouts to other chains and the gossip of the consensus itself are left out.

## Held against a network

{}{held}{}
",
        number(gas.naive as f64),
        number(s.answers_per_day),
        number(s.answers_per_day * s.block_seconds / 86_400.0 * gas.naive as f64),
        s.windows.settle_after,
        s.windows.sessions,
        s.rate_bps,
        if gas.claim.is_some() { "Claims" } else { "Claims of auditors and" },
        HELD.begin,
        HELD.end,
    ));
    text
}
