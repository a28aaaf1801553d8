//! Sessions: taking requests, finishing them, acknowledging.

use cosmwasm_std::Uint128;
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{SignedReceipt, SignedVoucher, SumRoot, SumStep};
use openledger_types::merkle::{Frontier, Hash, SumNode};
use redb::{ReadableDatabase, ReadableTable, WriteTransaction};

use super::rows::{Accepted, Limits, SessionLog, StoredRequest};
use super::{
    decode, disk, encode, Journal, ACKNOWLEDGED, ANSWERS, LOGS, RECEIPTS, REQUESTS, SESSIONS, SIGNED,
    UNFINISHED,
};
use crate::fault::{Class, Fault, Result};

const RETRY_ADVICE: &str =
    "Ask GET /v1/sessions/{id} where the session stands, and sign the next voucher by it.";

impl Journal {
    /// Where a session stands; none before its first request.
    ///
    /// # Errors
    /// Those of the disk, as everywhere here.
    pub fn session(&self, session_id: u64) -> Result<Option<SessionLog>> {
        self.read(SESSIONS, session_id)
    }

    /// All sessions by number.
    pub fn sessions(&self) -> Result<Vec<(u64, SessionLog)>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let table = txn.open_table(SESSIONS).map_err(disk)?;
        let mut sessions = Vec::new();
        for row in table.iter().map_err(disk)? {
            let (id, bytes) = row.map_err(disk)?;
            sessions.push((id.value(), decode(bytes.value())?));
        }
        Ok(sessions)
    }

    /// Takes a request whose signature, session and hash were checked: holds its voucher against
    /// what the session has had so far and writes it down.
    ///
    /// The same request again (same sequence and request hash) is no error; its voucher is not
    /// looked at a second time.
    ///
    /// # Errors
    /// `E-PAY-010` another request under a used sequence, `-011` a gap, `-012` too many requests
    /// without acknowledgement, `-013` an acknowledgement that is not the log's, `-014` a cumulative
    /// maximum lower than before, `-015` too low for this request, `-016` above the cap.
    pub fn accept(&self, request: &StoredRequest, limits: &Limits) -> Result<Accepted> {
        let voucher = &request.voucher.voucher;
        let key = (voucher.session_id, voucher.sequence);
        let txn = self.db.begin_write().map_err(disk)?;
        let known = {
            let table = txn.open_table(REQUESTS).map_err(disk)?;
            let row = table.get(key).map_err(disk)?;
            row.map(|bytes| decode::<StoredRequest>(bytes.value())).transpose()?
        };
        if let Some(known) = known {
            if known.voucher.voucher.request_hash != voucher.request_hash
                || known.endpoint != request.endpoint
            {
                return Err(conflict(
                    "E-PAY-010",
                    format!("sequence {} of session {} was used for another request", key.1, key.0),
                ));
            }
            let table = txn.open_table(ANSWERS).map_err(disk)?;
            let answer = table.get(key).map_err(disk)?;
            return Ok(match answer.map(|bytes| decode(bytes.value())).transpose()? {
                Some(bundle) => Accepted::Answered(Box::new(bundle)),
                None => Accepted::Unfinished(Box::new(known)),
            });
        }
        let mut log = load(&txn, key.0)?.unwrap_or_else(|| SessionLog::new(&voucher.denom));
        check_sequence(&log, voucher.sequence, voucher.acknowledged.count, limits)?;
        check_acknowledged(&txn, key.0, &log, &voucher.acknowledged)?;
        check_amounts(&log, voucher.cumulative_max, request.max_fee, limits)?;
        log.taken = voucher.sequence;
        log.reserved = log.reserved.saturating_add(request.max_fee);
        log.cumulative_max = voucher.cumulative_max;
        keep_acknowledgement(&txn, &mut log, &request.voucher)?;
        save(&txn, key.0, &log)?;
        txn.open_table(REQUESTS).map_err(disk)?.insert(key, encode(request)?.as_slice()).map_err(disk)?;
        txn.open_table(UNFINISHED).map_err(disk)?.insert(key, ()).map_err(disk)?;
        txn.commit().map_err(disk)?;
        Ok(Accepted::New)
    }

    /// Writes an answer with its receipt, and moves the log over every receipt that is now in order.
    /// Returns what is on disk: the first answer to this request, whoever finished it.
    pub fn finish(&self, bundle: &AnswerBundle) -> Result<AnswerBundle> {
        let receipt = &bundle.receipt.receipt;
        let key = (receipt.session_id, receipt.sequence);
        let txn = self.db.begin_write().map_err(disk)?;
        {
            let mut answers = txn.open_table(ANSWERS).map_err(disk)?;
            if let Some(first) = answers.get(key).map_err(disk)? {
                return decode(first.value());
            }
            answers.insert(key, encode(bundle)?.as_slice()).map_err(disk)?;
        }
        let request: StoredRequest = {
            let table = txn.open_table(REQUESTS).map_err(disk)?;
            let row = table.get(key).map_err(disk)?;
            let row = row.ok_or_else(|| missing(format!("request {} of session {}", key.1, key.0)))?;
            decode(row.value())?
        };
        let id = receipt.digest();
        let signed = encode(&bundle.receipt)?;
        txn.open_table(SIGNED).map_err(disk)?.insert(key, signed.as_slice()).map_err(disk)?;
        txn.open_table(RECEIPTS).map_err(disk)?.insert(id.as_slice(), key).map_err(disk)?;
        txn.open_table(UNFINISHED).map_err(disk)?.remove(key).map_err(disk)?;
        let mut log = load(&txn, key.0)?.ok_or_else(|| missing(format!("session {}", key.0)))?;
        log.reserved = log.reserved.saturating_sub(request.max_fee);
        extend(&txn, key.0, &mut log)?;
        save(&txn, key.0, &log)?;
        txn.commit().map_err(disk)?;
        Ok(bundle.clone())
    }

    /// Gives up a request that can not be answered. Its sequence is free again when it is the newest;
    /// otherwise it stays open.
    pub fn abandon(&self, session_id: u64, sequence: u64) -> Result<bool> {
        let key = (session_id, sequence);
        let txn = self.db.begin_write().map_err(disk)?;
        let Some(mut log) = load(&txn, session_id)? else { return Ok(false) };
        if log.taken != sequence || txn.open_table(ANSWERS).map_err(disk)?.get(key).map_err(disk)?.is_some() {
            return Ok(false);
        }
        {
            let mut requests = txn.open_table(REQUESTS).map_err(disk)?;
            let Some(row) = requests.remove(key).map_err(disk)? else { return Ok(false) };
            let request: StoredRequest = decode(row.value())?;
            log.reserved = log.reserved.saturating_sub(request.max_fee);
        }
        log.taken = sequence.saturating_sub(1);
        txn.open_table(UNFINISHED).map_err(disk)?.remove(key).map_err(disk)?;
        save(&txn, session_id, &log)?;
        txn.commit().map_err(disk)?;
        Ok(true)
    }

    /// Keeps a voucher that acknowledges more than the one before.
    ///
    /// # Errors
    /// `E-PAY-013` when what it acknowledges is not the log's.
    pub fn acknowledge(&self, voucher: &SignedVoucher) -> Result<SessionLog> {
        let session_id = voucher.voucher.session_id;
        let txn = self.db.begin_write().map_err(disk)?;
        let mut log = load(&txn, session_id)?.ok_or_else(|| missing(format!("session {session_id}")))?;
        check_acknowledged(&txn, session_id, &log, &voucher.voucher.acknowledged)?;
        if voucher.voucher.acknowledged.sum > voucher.voucher.cumulative_max
            || voucher.voucher.sequence < voucher.voucher.acknowledged.count
        {
            return Err(conflict(
                "E-PAY-013",
                "the voucher acknowledges more than its sequence or its cumulative maximum covers",
            ));
        }
        keep_acknowledgement(&txn, &mut log, voucher)?;
        save(&txn, session_id, &log)?;
        txn.commit().map_err(disk)?;
        Ok(log)
    }

    /// The voucher with the newest acknowledgement.
    pub fn acknowledgement(&self, session_id: u64) -> Result<Option<SignedVoucher>> {
        self.read(ACKNOWLEDGED, session_id)
    }

    /// A request.
    pub fn request(&self, session_id: u64, sequence: u64) -> Result<Option<StoredRequest>> {
        self.read(REQUESTS, (session_id, sequence))
    }

    /// An answer.
    pub fn answer(&self, session_id: u64, sequence: u64) -> Result<Option<AnswerBundle>> {
        self.read(ANSWERS, (session_id, sequence))
    }

    /// The answer with this receipt.
    pub fn answer_by_id(&self, receipt_id: &Hash) -> Result<Option<AnswerBundle>> {
        let key = {
            let txn = self.db.begin_read().map_err(disk)?;
            let table = txn.open_table(RECEIPTS).map_err(disk)?;
            let row = table.get(receipt_id.as_slice()).map_err(disk)?;
            row.map(|key| key.value())
        };
        match key {
            Some((session_id, sequence)) => self.answer(session_id, sequence),
            None => Ok(None),
        }
    }

    /// Receipts of a session in order, from sequence `from` (at least 1) to `to`, without gaps.
    pub fn receipts(&self, session_id: u64, from: u64, to: u64) -> Result<Vec<SignedReceipt>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let table = txn.open_table(SIGNED).map_err(disk)?;
        let mut receipts = Vec::new();
        let from = from.max(1);
        if from > to {
            return Ok(receipts);
        }
        for (row, expected) in table.range((session_id, from)..=(session_id, to)).map_err(disk)?.zip(from..) {
            let (key, bytes) = row.map_err(disk)?;
            if key.value().1 != expected {
                break;
            }
            receipts.push(decode(bytes.value())?);
        }
        Ok(receipts)
    }

    /// Requests taken and not answered: (session, sequence).
    pub fn unfinished(&self) -> Result<Vec<(u64, u64)>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let table = txn.open_table(UNFINISHED).map_err(disk)?;
        let rows = table.iter().map_err(disk)?;
        rows.map(|row| row.map(|(key, _)| key.value()).map_err(disk)).collect()
    }
}

fn conflict(code: &'static str, what: impl Into<String>) -> Fault {
    Fault::new(Class::Conflict, code, what, RETRY_ADVICE)
}

fn missing(what: String) -> Fault {
    Fault::new(
        Class::NotFound,
        "E-NODE-044",
        format!("this node knows nothing of {what}"),
        "Check the number, and that this is the node that was asked.",
    )
}

fn load(txn: &WriteTransaction, session_id: u64) -> Result<Option<SessionLog>> {
    let table = txn.open_table(SESSIONS).map_err(disk)?;
    let row = table.get(session_id).map_err(disk)?;
    row.map(|bytes| decode(bytes.value())).transpose()
}

fn save(txn: &WriteTransaction, session_id: u64, log: &SessionLog) -> Result<()> {
    txn.open_table(SESSIONS).map_err(disk)?.insert(session_id, encode(log)?.as_slice()).map_err(disk)?;
    Ok(())
}

fn check_sequence(log: &SessionLog, sequence: u64, acknowledged: u64, limits: &Limits) -> Result<()> {
    let next = log.taken.saturating_add(1);
    if sequence != next {
        return Err(conflict("E-PAY-011", format!("the next sequence is {next}, not {sequence}")));
    }
    let in_flight = sequence.saturating_sub(acknowledged.max(log.acknowledged));
    if in_flight > u64::from(limits.in_flight) {
        return Err(Fault::new(
            Class::Conflict,
            "E-PAY-012",
            format!(
                "{in_flight} requests would be without acknowledgement, allowed are {}",
                limits.in_flight
            ),
            "Acknowledge the receipts you hold in the next voucher, or wait for the answers under way.",
        ));
    }
    Ok(())
}

fn check_acknowledged(
    txn: &WriteTransaction,
    session_id: u64,
    log: &SessionLog,
    acknowledged: &SumRoot,
) -> Result<()> {
    let expected = if acknowledged.count == 0 {
        Some(SumRoot::empty())
    } else if acknowledged.count > log.log.count {
        None
    } else {
        let table = txn.open_table(LOGS).map_err(disk)?;
        let row = table.get((session_id, acknowledged.count)).map_err(disk)?;
        row.map(|bytes| decode(bytes.value())).transpose()?
    };
    if expected.as_ref() == Some(acknowledged) {
        return Ok(());
    }
    Err(conflict(
        "E-PAY-013",
        format!(
            "the {} receipts acknowledged are not the first of the {} that this node has signed",
            acknowledged.count, log.log.count
        ),
    ))
}

fn check_amounts(log: &SessionLog, maximum: Uint128, max_fee: Uint128, limits: &Limits) -> Result<()> {
    if maximum < log.cumulative_max {
        return Err(conflict(
            "E-PAY-014",
            format!("the cumulative maximum {maximum} is lower than the last one, {}", log.cumulative_max),
        ));
    }
    let needed = log.committed().checked_add(max_fee).map_err(|_| {
        Fault::new(Class::Payment, "E-PAY-015", "the fees of this session overflow", "Open another session.")
    })?;
    if maximum < needed {
        return Err(Fault::new(
            Class::Payment,
            "E-PAY-015",
            format!("the cumulative maximum is {maximum}, this request needs at least {needed}"),
            "Sign a voucher with a cumulative maximum of at least that, or ask for fewer tokens.",
        ));
    }
    if maximum > limits.cap {
        return Err(Fault::new(
            Class::Payment,
            "E-PAY-016",
            format!(
                "the cumulative maximum {maximum} exceeds the node's cap of {} in this session",
                limits.cap
            ),
            "Lower the maximum, top the session up, or open another one.",
        ));
    }
    Ok(())
}

/// Keeps `voucher` as the newest acknowledgement when it acknowledges more, or is the first.
fn keep_acknowledgement(txn: &WriteTransaction, log: &mut SessionLog, voucher: &SignedVoucher) -> Result<()> {
    let mut table = txn.open_table(ACKNOWLEDGED).map_err(disk)?;
    let session_id = voucher.voucher.session_id;
    let first = table.get(session_id).map_err(disk)?.is_none();
    let count = voucher.voucher.acknowledged.count;
    if first || count > log.acknowledged {
        log.acknowledged = count;
        table.insert(session_id, encode(voucher)?.as_slice()).map_err(disk)?;
    }
    Ok(())
}

/// Moves the log over the receipts that follow without a gap.
fn extend(txn: &WriteTransaction, session_id: u64, log: &mut SessionLog) -> Result<()> {
    let broken = || missing(format!("the log of session {session_id}"));
    let peaks: Vec<SumNode> =
        log.peaks.iter().map(SumStep::node).collect::<std::result::Result<_, _>>().map_err(disk)?;
    let mut frontier = Frontier::from_parts(log.log.count, peaks).ok_or_else(broken)?;
    let signed = txn.open_table(SIGNED).map_err(disk)?;
    let mut logs = txn.open_table(LOGS).map_err(disk)?;
    loop {
        let sequence = frontier.size().saturating_add(1);
        let Some(row) = signed.get((session_id, sequence)).map_err(disk)? else { break };
        let receipt: SignedReceipt = decode(row.value())?;
        frontier.push(receipt.receipt.leaf()).ok_or_else(broken)?;
        let root = SumRoot::new(frontier.root().ok_or_else(broken)?, frontier.size());
        logs.insert((session_id, sequence), encode(&root)?.as_slice()).map_err(disk)?;
        log.log = root;
    }
    log.peaks = frontier.peaks().iter().map(|peak| SumStep::from(*peak)).collect();
    Ok(())
}
