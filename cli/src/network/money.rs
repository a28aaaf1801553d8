//! The audit of the money: what must hold after every message, whatever was killed in between.

use anyhow::Result;
use openledger_client::contracts::Reader;
use openledger_types::msg::escrow::SessionResponse;

use crate::context::DENOM;

/// Sums over the whole chain, and what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Sessions that were opened.
    pub sessions: u64,
    /// Of these, closed.
    pub closed: u64,
    /// Paid into all sessions, in base units.
    pub deposits: u128,
    /// Settled fees.
    pub settled: u128,
    /// Credited back to their owners.
    pub refunded: u128,
    /// Of the settled fees, those that verdicts took back out of them (L7).
    pub returned: u128,
    /// Paid into all ledgers.
    pub funded: u128,
    /// Credited out of them.
    pub claimed: u128,
    /// Base units cut from bonds: bonds below the least one.
    pub punished: Vec<u64>,
    /// What does not add up, in words; empty when all is well.
    pub faults: Vec<String>,
}

/// Reads every session, ledger and bond, and the conservation equation of each contract.
///
/// # Errors
/// When the chain does not answer.
pub async fn audit(reader: &Reader) -> Result<Books> {
    let mut books = Books::default();
    for (name, answer) in reader.invariants().await? {
        if !answer.holds {
            books.faults.push(format!("{name}: {}", answer.broken.join("; ")));
        }
    }
    for session in reader.sessions().await? {
        books.add(&session);
    }
    let least = reader.node_config().await?.params.min_bond;
    for node in reader.nodes().await? {
        let ledger = reader.ledger(node.node_id, DENOM).await?;
        let (funded, out) = (ledger.funded.u128(), ledger.claimed.u128() + ledger.refunded.u128());
        books.funded += funded;
        books.claimed += ledger.claimed.u128();
        if out > funded {
            books.faults.push(format!("node {}: {out} paid out of a ledger of {funded}", node.node_id));
        }
        let in_service = node.status == openledger_types::msg::node_registry::NodeStatus::Bonded;
        if in_service && node.bond < least {
            books.punished.push(node.node_id);
        }
    }
    Ok(books)
}

impl Books {
    /// A session: its parts and what was refunded are at most what was paid in, and exactly that once closed. The parts
    /// are what was settled, less what verdicts returned.
    fn add(&mut self, session: &SessionResponse) {
        let settled: u128 = session.nodes.iter().map(|node| node.settled.u128()).sum();
        let parts = [session.protocol, session.developer_part, session.node_part, session.data_part];
        let parts: u128 = parts.iter().map(|part| part.u128()).sum();
        let (deposit, refunded) = (session.deposit.u128(), session.refunded.u128());
        self.sessions += 1;
        self.closed += u64::from(session.closed);
        self.deposits += deposit;
        self.settled += settled;
        self.refunded += refunded;
        self.returned += settled.saturating_sub(parts);
        let (id, out) = (session.session_id, parts + refunded);
        if out > deposit {
            self.faults.push(format!("session {id}: {out} of {deposit} paid out: a double payment"));
        }
        if session.closed && out != deposit {
            self.faults.push(format!("session {id} is closed, but {out} of {deposit} are accounted for"));
        }
        if parts > settled {
            self.faults.push(format!("session {id}: the parts are {parts}, settled was {settled}"));
        }
        for node in session.nodes.iter().filter(|node| node.settled > node.cap) {
            self.faults.push(format!("session {id}: node {} was paid above its cap", node.node_id));
        }
    }
}
